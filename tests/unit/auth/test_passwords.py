"""Password rules and hashing: PW-1 to PW-4, PW-6."""

import asyncio
import time
import unicodedata

import pytest

from libs.crypto import KeyRing, WatchedKeyRing
from libs.kernel import UnavailableError
from services.auth.domain import check_new_password
from services.auth.domain.errors import PasswordInvalidError
from services.auth.service import PasswordHasher

COST = 4
PASSWORD = "correct horse battery"


@pytest.fixture
def ring():
    """One ring of peppers."""
    return KeyRing.generate()


@pytest.fixture
def hasher(ring):
    """A hasher that is cheap enough for unit tests."""
    with PasswordHasher(ring, cost=COST, workers=2, waiting_max=8) as made:
        yield made


@pytest.mark.parametrize("length", [0, 1, 14])
def test_pw_2_short_password_is_refused(length):
    """PW-2: fewer than 15 code points are refused."""
    with pytest.raises(PasswordInvalidError) as caught:
        check_new_password("x" * length)
    assert caught.value.details == {"rule": "too_short", "limit": 15}


@pytest.mark.parametrize("password", ["x" * 15, "😀" * 15, " " * 15, "e\u0301" * 8])
def test_pw_2_length_is_counted_in_code_points(password):
    """PW-2: 15 code points are enough, whatever their bytes."""
    check_new_password(password)


@pytest.mark.parametrize("password", ["x" * 257, "😀" * 257, "x" * 5_000_000])
def test_pw_3_long_password_is_refused_at_once(password):
    """PW-3: over 256 code points is refused within 20 ms, before any hashing."""
    start = time.thread_time()
    with pytest.raises(PasswordInvalidError):
        check_new_password(password)
    assert time.thread_time() - start < 0.02


@pytest.mark.parametrize("password", ["x" * 64, "x" * 256, "😀" * 256, "\ufdfa" * 256])
def test_pw_3_long_passphrase_is_accepted(password):
    """PW-3: at least 64 code points are accepted, up to 256."""
    check_new_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaa",
        "lowercase only here",
        "密码密码密码密码密码密码密码密",
        "pass\tword with tab",
    ],
)
def test_pw_4_no_composition_rules(password):
    """PW-4: letters alone, spaces and any script are fine."""
    check_new_password(password)


def test_password_that_is_no_text_is_refused():
    """Half a surrogate pair is refused, not a crash."""
    with pytest.raises(PasswordInvalidError) as caught:
        check_new_password("\ud800" * 15)
    assert caught.value.details["rule"] == "not_text"


async def test_pw_1_stored_form(hasher, ring):
    """PW-1: version, pepper id and a bcrypt hash of the set cost are stored."""
    stored = await hasher.hash(PASSWORD)
    scheme, pepper_id, digest = stored.split("$", 2)
    assert scheme == "v=1"
    assert pepper_id == ring.current_id
    assert digest.startswith("$2b$04$")
    assert len(digest) == 60


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "😀" * 64, "a\x00b" * 10, "x" * 256, "\x00" * 15, "\ufdfa" * 256],
)
async def test_pw_1_any_password_round_trips(hasher, password):
    """PW-1: emoji, NUL and any length match themselves and nothing else."""
    stored = await hasher.hash(password)
    assert await hasher.verify(password, stored)
    assert not await hasher.verify(password[:-1], stored)


async def test_pw_1_equal_first_72_bytes_differ(hasher):
    """PW-1: what bcrypt alone would cut off counts."""
    stored = await hasher.hash("x" * 72 + "a")
    assert not await hasher.verify("x" * 72 + "b", stored)


async def test_pw_1_composed_and_decomposed_are_one_password(hasher):
    """PW-1: NFC and NFD of a password match."""
    password = "crème brûlée für uns"
    stored = await hasher.hash(unicodedata.normalize("NFD", password))
    assert await hasher.verify(unicodedata.normalize("NFC", password), stored)


async def test_pw_1_needs_the_pepper(hasher):
    """PW-1: the database alone does not tell whether a guess is right."""
    stored = await hasher.hash(PASSWORD)
    with PasswordHasher(
        KeyRing.generate(), cost=COST, workers=1, waiting_max=1
    ) as other:
        assert not await other.verify(PASSWORD, stored)


async def test_pw_1_rehash_when_pepper_or_cost_is_old(hasher, ring):
    """PW-1: a hash of another pepper, cost or scheme is due for renewal."""
    stored = await hasher.hash(PASSWORD)
    assert not hasher.needs_rehash(stored)
    with PasswordHasher(ring.rotated(), cost=COST, workers=1, waiting_max=1) as newer:
        assert newer.needs_rehash(stored)
        assert await newer.verify(PASSWORD, stored)
    with PasswordHasher(ring, cost=COST + 1, workers=1, waiting_max=1) as dearer:
        assert dearer.needs_rehash(stored)
    assert hasher.needs_rehash(stored.replace("v=1", "v=0"))


@pytest.mark.parametrize(
    "stored", ["", "v=1", "v=1$k$x", "v=9$a$b", "v=1$$$$", "\x00", "$2b$04$short"]
)
async def test_pw_1_unreadable_hash_never_matches_nor_raises(hasher, stored):
    """PW-1: never a 500, whatever the stored bytes are."""
    assert not await hasher.verify(PASSWORD, stored)


async def test_pw_1_a_ring_that_lost_a_pepper_costs_time_and_never_matches(tmp_path):
    """PW-1: also where the pepper of the dummy itself is gone."""
    first = KeyRing.generate()
    second = first.rotated()
    path = tmp_path / "ring.json"
    path.write_text(first.to_json())
    path.chmod(0o600)
    clock = iter(range(1_000))
    ring = WatchedKeyRing(path, lambda: float(next(clock)))
    with PasswordHasher(ring, cost=4, workers=1, waiting_max=1) as made:
        stored = await made.hash(PASSWORD)
        path.write_text(second.without(first.current_id).to_json())
        assert not await made.verify(PASSWORD, stored)
        assert not await made.verify(PASSWORD, None)
        renewed = await made.hash(PASSWORD)
        assert await made.verify(PASSWORD, renewed)
        assert made.needs_rehash(stored)


async def test_en_2_unknown_account_costs_a_hash_and_never_matches(hasher):
    """EN-2: a missing account is checked against a dummy of the same cost."""
    assert not await hasher.verify(PASSWORD, None)


async def test_pw_6_overflow_is_refused_at_once_with_retry_after(ring):
    """PW-6: beyond threads and queue the answer is 503 with a time to come back."""
    with PasswordHasher(ring, cost=8, workers=1, waiting_max=1) as small:
        running = [asyncio.create_task(small.hash(PASSWORD)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError) as caught:
            await small.hash(PASSWORD)
        assert caught.value.retry_after_seconds == 1
        await asyncio.gather(*running)
        await small.hash(PASSWORD)


async def test_pw_6_caller_who_leaves_keeps_its_place_until_the_thread_is_free(ring):
    """PW-6: a cancelled request still counts while its hash runs."""
    with PasswordHasher(ring, cost=12, workers=1, waiting_max=0) as small:
        task = asyncio.create_task(small.hash(PASSWORD))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(UnavailableError):
            await small.hash(PASSWORD)
        async with asyncio.timeout(10):
            while small._pending:  # noqa: ASYNC110 - it is in a thread
                await asyncio.sleep(0.01)
        assert await small.hash(PASSWORD)


async def test_pw_6_hashing_does_not_hold_the_loop(ring):
    """PW-6: the loop goes on while passwords are hashed."""
    with PasswordHasher(ring, cost=8, workers=2, waiting_max=20) as made:
        work = [asyncio.create_task(made.hash(PASSWORD)) for _ in range(10)]
        lags = []
        while not all(task.done() for task in work):
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - start)
        await asyncio.gather(*work)
    assert sorted(lags)[len(lags) // 2] < 0.05
