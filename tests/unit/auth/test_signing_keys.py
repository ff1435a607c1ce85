"""Keys that sign access tokens: rotation without a restart (JW-4)."""

import json
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import pytest

from libs.chassis.security import AccessTokenVerifier, JwksSource, TokenInvalidError
from libs.crypto import SigningKey, SigningKeys, SigningKeysError
from libs.kernel import FrozenClock, new_id
from services.auth.domain import KeySchedule
from services.auth.repository.signing_keys import (
    FileSigningKeys,
    read_schedule,
    write_schedule,
)
from services.auth.service import AccessTokens

ISSUER = "https://chat.example.test"


@pytest.fixture
def clock():
    """A clock that moves when told to."""
    return FrozenClock()


@pytest.fixture
def path(tmp_path):
    """A signing keys file with one key, as an installation begins with."""
    file = tmp_path / "signing.json"
    file.write_text(SigningKeys.generate("k1").to_json())
    file.chmod(0o600)
    return file


def _rotate(path, clock, kid):
    now = int(clock.now().timestamp())
    changed = read_schedule(path).rotated(SigningKey.generate(kid), now)
    write_schedule(path, changed, now)


def _kids(keys):
    return [key["kid"] for key in keys.jwks()["keys"]]


def test_jw_4_new_key_is_published_five_minutes_before_it_signs(path, clock):
    """JW-4: and the old one stays for the life of its last token and the leeway."""
    keys = FileSigningKeys(path, clock)
    _rotate(path, clock, "k2")
    clock.advance(timedelta(seconds=1))
    assert _kids(keys) == ["k1", "k2"]
    clock.advance(timedelta(seconds=298))
    assert keys.current.kid == "k1"
    clock.advance(timedelta(seconds=1))
    assert keys.current.kid == "k2"
    clock.advance(timedelta(seconds=359))
    assert _kids(keys) == ["k1", "k2"]
    clock.advance(timedelta(seconds=1))
    assert _kids(keys) == ["k2"]


def test_jw_4_rotation_drops_what_is_retired_and_waits_for_its_turn(path, clock):
    """JW-4: two rotations at once follow each other; a year of them leaves two keys."""
    _rotate(path, clock, "k2")
    _rotate(path, clock, "k3")
    schedule, now = read_schedule(path), clock.now().timestamp()
    assert schedule.signing_at(now + 300).kid == "k2"
    assert schedule.signing_at(now + 600).kid == "k3"
    for number in range(10):
        clock.advance(timedelta(days=30))
        _rotate(path, clock, f"later{number}")
    assert len(read_schedule(path).keys) == 2


async def test_jw_4_two_rotations_under_load_refuse_no_token(path, clock):
    """JW-4: with the real times; new tokens and those near their end."""
    keys = FileSigningKeys(path, clock)
    issuer = AccessTokens(keys, issuer=ISSUER, clock=clock)
    fetched = []

    async def fetch():
        fetched.append(clock.now())
        return issuer.jwks()

    source = JwksSource(fetch, clock)
    verifier = AccessTokenVerifier(source, ISSUER, clock)
    tokens, signed_by = [], set()
    for second in range(13 * 60):
        if second in (30, 400):
            _rotate(path, clock, f"new{second}")
        tokens = [*tokens[-298:], issuer.issue(new_id(), new_id(), ())]
        signed_by.add(keys.current.kid)
        for token in (tokens[0], tokens[-1]):
            await verifier.verify(token)
        clock.advance(timedelta(seconds=1))
        if source._refreshing is not None:
            await source._refreshing
    assert signed_by == {"k1", "new30", "new400"}
    assert len(fetched) <= 13 * 60 / 30 + 2
    await source.aclose()


async def test_jw_4_removed_key_is_refused_within_a_minute(path, clock):
    """JW-4: emergency removal; the next key signs at once, without a restart."""
    keys = FileSigningKeys(path, clock)
    issuer = AccessTokens(keys, issuer=ISSUER, clock=clock)

    async def fetch():
        return issuer.jwks()

    source = JwksSource(fetch, clock)
    verifier = AccessTokenVerifier(source, ISSUER, clock)
    stolen = issuer.issue(new_id(), new_id(), ())
    await verifier.verify(stolen)
    now = int(clock.now().timestamp())
    removed = read_schedule(path).without("k1", SigningKey.generate("k2"), now)
    write_schedule(path, removed, now)
    accepted = 0
    for second in range(1, 70):
        clock.advance(timedelta(seconds=1))
        with suppress(TokenInvalidError):
            await verifier.verify(stolen)
            accepted = second
        if source._refreshing is not None:
            await source._refreshing
    assert 0 < accepted < 60
    assert await verifier.verify(issuer.issue(new_id(), new_id(), ()))
    assert keys.current.kid == "k2"
    await source.aclose()


def test_jw_4_removal_prefers_a_key_that_is_known_already(path, clock):
    """JW-4: a waiting key takes over at once, so nobody meets an unknown one."""
    _rotate(path, clock, "k2")
    now = int(clock.now().timestamp())
    schedule = read_schedule(path).without("k1", SigningKey.generate("k3"), now)
    assert [one.key.kid for one in schedule.keys] == ["k2"]
    assert schedule.signing_at(now).kid == "k2"
    with pytest.raises(SigningKeysError):
        schedule.without("k1", SigningKey.generate("k3"), now)


def test_jw_4_removal_of_a_retired_or_foreign_key_changes_no_signature(path, clock):
    """JW-4: a key put there by hand goes, what signs stays."""
    document = json.loads(path.read_text())
    document["keys"].append(SigningKey.generate("hand").to_jwk())
    now = int(clock.now().timestamp())
    schedule = KeySchedule.parse(document).without(
        "hand", SigningKey.generate("k2"), now
    )
    assert [one.key.kid for one in schedule.keys] == ["k1"]
    only_hand = KeySchedule.parse(document).without(
        "k1", SigningKey.generate("k2"), now
    )
    assert only_hand.signing_at(now).kid == "k2"
    assert json.loads(json.dumps(only_hand.to_document(now)))["current"] == "k2"
    again = KeySchedule.parse(only_hand.to_document(now))
    assert [one.use_from for one in again.keys] == [None, now]


def test_jw_4_broken_file_keeps_the_keys_that_were_read(path, clock):
    """A hand in the file must not stop every sign-in."""
    keys = FileSigningKeys(path, clock)
    path.write_text("{")
    clock.advance(timedelta(seconds=2))
    assert keys.current.kid == "k1"
    assert _kids(keys) == ["k1"]
    path.unlink()
    clock.advance(timedelta(seconds=2))
    assert keys.current.kid == "k1"


@pytest.mark.parametrize(
    "change",
    [
        {"keys": {}},
        {"keys": ["k1"]},
        {"keys": []},
        {"current": "k2"},
        {"current": None},
    ],
)
def test_wrong_key_file_is_refused(path, change):
    """A service with a wrong file does not start; the error names the file."""
    document = json.loads(path.read_text()) | change
    path.write_text(json.dumps(document))
    with pytest.raises(SigningKeysError, match=r"signing\.json"):
        read_schedule(path)


@pytest.mark.parametrize("use_from", [-1, "soon", 1.5, True])
def test_wrong_time_of_a_key_is_refused(path, use_from):
    """A time is whole seconds."""
    document = json.loads(path.read_text())
    document["keys"][0]["use_from"] = use_from
    with pytest.raises(SigningKeysError):
        KeySchedule.parse(document)


def test_key_that_stands_twice_is_refused(path):
    """One kid, one key."""
    document = json.loads(path.read_text())
    document["keys"] *= 2
    with pytest.raises(SigningKeysError):
        KeySchedule.parse(document)


def test_key_put_there_by_hand_is_published_and_never_signs(path, clock):
    """The way of before: a key without a time, made current by hand."""
    document = json.loads(path.read_text())
    document["keys"].append(SigningKey.generate("k2").to_jwk())
    schedule = KeySchedule.parse(document)
    year = clock.now().timestamp() + 86_400 * 365
    assert schedule.signing_at(year).kid == "k1"
    assert len(schedule.published_at(year)) == 2


@pytest.fixture
def environment(settings, path, monkeypatch):
    """The environment of the command: auth's own settings."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        if value is not None:
            monkeypatch.setenv(f"AUTH_{name.upper()}", str(value))
    monkeypatch.setenv("AUTH_SIGNING_KEYS_FILE", str(path))


def _keys(*words):
    """Run the command as an operator does: it sets up the logs of its process."""
    return subprocess.run(
        [sys.executable, "-m", "services.auth", "keys", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _told(done):
    assert done.returncode == 0, done.stderr
    return {one["kid"]: one["state"] for one in json.loads(done.stdout)["keys"]}


def test_keys_command_shows_rotates_and_removes(environment, path):
    """What an operator types, and what the file then says."""
    assert _told(_keys("status")) == {"k1": "signs"}
    assert sorted(_told(_keys("rotate")).values()) == ["signs", "waits"]
    assert list(_told(_keys("remove", "k1")).values()) == ["signs"]
    again = _keys("remove", "k1")
    assert again.returncode == 2
    assert "no such key" in again.stderr
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_command_renews_all_at_once(environment, path):
    """None of before signs or is published: what it signed is refused everywhere."""
    before = set(_told(_keys("rotate")))
    after = _told(_keys("renew"))
    assert list(after.values()) == ["signs"]
    assert not before & set(after)
