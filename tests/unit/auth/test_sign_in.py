"""Signing in, refreshing, signing out."""

import asyncio
from datetime import timedelta

import pytest

from libs.crypto import KeyRing
from libs.events.catalog import (
    AccountSessionReused,
    SessionReused,
    SessionRevoked,
    SessionStarted,
)
from libs.kernel import RateLimitedError
from services.auth.domain import (
    ClientDevice,
    RevokeReason,
    UserStatus,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    PasswordInvalidError,
    RefreshTokenInvalidError,
    SessionMissingError,
)
from services.auth.service import PasswordHasher, SignIn
from tests.unit.auth.conftest import EMAIL, PASSWORD


@pytest.fixture
async def ann(house):
    """An active user."""
    return await house.join()


async def _refresh(house, token):
    return await house.state["renewal"].refresh(token)


async def test_login_starts_a_session(house, ann):
    """A sign-in hands out tokens and tells of the session."""
    signed_in = await house.login()
    [started] = house.bus.published_of(SessionStarted)
    assert (started.user_id, started.session_id) == (ann, signed_in.session_id)
    assert started.device_name == "phone"
    assert signed_in.expires_in == 300


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, PASSWORD + "!"),
        ("nobody@example.test", PASSWORD),
        ("nonsense", PASSWORD),
        ("pending@example.test", PASSWORD),
        ("suspended@example.test", PASSWORD),
    ],
)
async def test_en_1_every_failed_login_looks_alike(house, ann, email, password):
    """EN-1: wrong, unknown, unverified and suspended answer the same."""
    await house.register("pending@example.test")
    suspended = await house.join("suspended@example.test")
    user = await house.adapters.stores.users.get(suspended, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(changed, None)
    with pytest.raises(CredentialsInvalidError) as caught:
        await house.login(email, password=password)
    assert caught.value.code == "credentials_invalid"
    assert caught.value.details == {}


async def test_lt_1_sixth_failure_is_throttled_for_known_and_unknown(house, ann):
    """LT-1: 5 free, then 429, the same for an address without an account."""
    for email in (EMAIL, "nobody@example.test"):
        for _ in range(5):
            with pytest.raises(CredentialsInvalidError):
                await house.login(email, password="wrong password here")
        with pytest.raises(RateLimitedError) as caught:
            await house.login(email)
        assert caught.value.retry_after_seconds == 1


async def test_lt_2_parallel_guesses_reach_the_verifier_five_times(house, ann):
    """LT-2: of 200 parallel wrong passwords at most 5 are looked at."""
    results = await asyncio.gather(
        *(house.login(password="wrong password here") for _ in range(200)),
        return_exceptions=True,
    )
    assert sum(isinstance(r, CredentialsInvalidError) for r in results) == 5
    assert sum(isinstance(r, RateLimitedError) for r in results) == 195


async def test_pw_3_login_with_an_absurd_password_costs_no_attempt(house, ann):
    """PW-3: what cannot be a password is refused before hashing and counting."""
    for _ in range(10):
        with pytest.raises(PasswordInvalidError):
            await house.login(password="x" * 5_000_000)
    assert await house.login()


async def test_pw_1_login_renews_an_old_hash(house, ann, settings):
    """PW-1: a hash of an old cost is replaced at the next sign-in."""
    before = await house.adapters.stores.credentials.get(ann, None)
    ring = KeyRing.from_file(settings.pepper_keys_file)
    with PasswordHasher(ring, cost=5, workers=1, waiting_max=4) as dearer:
        old = house.state["sign_in"]
        fields = {name: getattr(old, name) for name in SignIn.__dataclass_fields__}
        newer = SignIn(**fields | {"hasher": dearer})
        await newer.login(
            email=EMAIL,
            password=PASSWORD,
            device=ClientDevice("", "", has_cookie=False),
        )
        after = await house.adapters.stores.credentials.get(ann, None)
        assert after != before
        assert not dearer.needs_rehash(after)


async def test_sr_5_twenty_first_session_ends_the_oldest(house, ann):
    """SR-5: a user has at most 20 sessions; the oldest gives way."""
    sessions = []
    for _ in range(21):
        sessions.append(await house.login())
        house.clock.advance(timedelta(seconds=1))
    [revoked] = house.bus.published_of(SessionRevoked)
    assert revoked.session_id == sessions[0].session_id
    page = await house.state["session_control"].list_own(ann, after=None, limit=50)
    assert len(page.items) == 20
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, sessions[0].refresh_token)


async def test_rt_1_refresh_rotates(house, ann):
    """RT-1: each refresh spends its token for the next one."""
    first = await house.login()
    second = await _refresh(house, first.refresh_token)
    third = await _refresh(house, second.refresh_token)
    tokens = {first.refresh_token, second.refresh_token, third.refresh_token}
    assert len(tokens) == 3
    assert third.session_id == first.session_id
    stored = await house.adapters.stores.sessions.get(first.session_id, None)
    assert not tokens & {stored.token_hash, stored.parent_hash}


async def test_rt_1_replay_revokes_the_family(house, ann):
    """RT-1: a spent token ends the session of thief and owner alike."""
    first = await house.login()
    second = await _refresh(house, first.refresh_token)
    house.clock.advance(timedelta(seconds=11))
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, first.refresh_token)
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, second.refresh_token)
    [reused] = house.bus.published_of(SessionReused)
    [revoked] = house.bus.published_of(SessionRevoked)
    assert reused.session_id == revoked.session_id == first.session_id
    assert revoked.reason == "reused"
    assert [gone.session_id for gone in house.announcer.announced] == [first.session_id]
    assert (await house.mailed())[-1] is AccountSessionReused
    assert house.opened("email") == EMAIL


async def test_rt_2_parallel_refreshes_get_one_child(house, ann):
    """RT-2: 20 parallel refreshes share one live child."""
    first = await house.login()
    results = await asyncio.gather(
        *(_refresh(house, first.refresh_token) for _ in range(20))
    )
    assert len({result.refresh_token for result in results}) == 1
    assert await _refresh(house, results[0].refresh_token)
    assert house.bus.published_of(SessionReused) == []


async def test_rt_2_grandparent_is_a_replay(house, ann):
    """RT-2: once the child is used, the parent's grace is over."""
    first = await house.login()
    second = await _refresh(house, first.refresh_token)
    await _refresh(house, second.refresh_token)
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, first.refresh_token)
    assert len(house.bus.published_of(SessionReused)) == 1


async def test_rt_3_lost_response_is_repeated_within_the_grace(house, ann):
    """RT-3: the same token again within 10 s returns the same child."""
    first = await house.login()
    lost = await _refresh(house, first.refresh_token)
    house.clock.advance(timedelta(seconds=10))
    again = await _refresh(house, first.refresh_token)
    assert again.refresh_token == lost.refresh_token


async def test_rt_1_invented_token_ends_nothing(house, ann):
    """RT-1: knowing a session's id is not enough to end it."""
    first = await house.login()
    key_id, session_id, secret, tag = first.refresh_token.split("~")
    forged = f"{key_id}~{session_id}~{secret[::-1]}~{tag}"
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, forged)
    assert await _refresh(house, first.refresh_token)


@pytest.mark.parametrize(("days", "is_live"), [(6.9, True), (7.1, False)])
async def test_rt_4_idle_session_cannot_be_refreshed(house, ann, days, is_live):
    """RT-4: after 7 days without use the session is over."""
    first = await house.login()
    house.clock.advance(timedelta(days=days))
    if is_live:
        assert await _refresh(house, first.refresh_token)
    else:
        with pytest.raises(RefreshTokenInvalidError):
            await _refresh(house, first.refresh_token)


async def test_suspended_user_cannot_refresh(house, ann):
    """SR-6: a session of an account that may not sign in hands out nothing."""
    first = await house.login()
    user = await house.adapters.stores.users.get(ann, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(changed, None)
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, first.refresh_token)


async def test_sr_1_logout_ends_the_session_and_announces_it(house, ann):
    """SR-1: the end is committed, told as an event and announced at once."""
    first = await house.login()
    await house.state["renewal"].logout(first.refresh_token)
    [revoked] = house.bus.published_of(SessionRevoked)
    assert revoked.reason == "logout"
    assert len(house.announcer.announced) == 1
    await house.state["renewal"].logout(first.refresh_token)
    assert len(house.bus.published_of(SessionRevoked)) == 1
    with pytest.raises(RefreshTokenInvalidError):
        await _refresh(house, first.refresh_token)


async def test_au_2_a_session_is_recorded_from_its_start_to_its_end(house, ann):
    """AU-2: begun, moved to another address, ended; a quiet refresh is no record."""
    first = await house.login()
    renewal = house.state["renewal"]
    second = await renewal.refresh(first.refresh_token, "10.0.0.1")
    await renewal.refresh(second.refresh_token, "10.9.9.9")
    await renewal.logout(first.refresh_token)
    told = [(e.action, e.source) for e in house.adapters.stores.audit.entries]
    assert told[-3:] == [
        ("session.started", "10.0.0.1"),
        ("session.moved", "10.9.9.9"),
        ("session.ended", ""),
    ]


async def test_sr_5_user_ends_own_sessions_only(house, ann):
    """SR-5: one's own session ends; somebody else's is not even there."""
    mine = await house.login()
    eve = await house.join("eve@example.test", name="Eve")
    control = house.state["session_control"]
    with pytest.raises(SessionMissingError):
        await control.revoke_own(eve, mine.session_id, RevokeReason.REVOKED)
    await control.revoke_own(ann, mine.session_id, RevokeReason.REVOKED)
    page = await control.list_own(ann, after=None, limit=10)
    assert page.items == []


async def test_revoked_sessions_are_listed_with_overlap(house, ann):
    """SR-4: a cache that asks again from `as_of` misses nothing."""
    control = house.state["session_control"]
    first = await house.login()
    await control.revoke_own(ann, first.session_id, RevokeReason.REVOKED)
    found = await control.revoked_since(None, None)
    assert [gone.session_id for gone in found.revoked] == [first.session_id]
    assert found.as_of < house.clock.now()
    again = await control.revoked_since(found.as_of, None)
    assert [gone.session_id for gone in again.revoked] == [first.session_id]
    house.clock.advance(timedelta(minutes=16))
    assert (await control.revoked_since(found.as_of, None)).revoked == []


async def test_long_list_of_revoked_sessions_is_cut_and_continued(
    house, ann, monkeypatch
):
    """A mass revocation is read page by page, none lost, none endless."""
    monkeypatch.setattr("services.auth.service.sessions.REVOCATION_PAGE", 2)
    control = house.state["session_control"]
    ended = []
    for _ in range(5):
        session = await house.login()
        await control.revoke_own(ann, session.session_id, RevokeReason.REVOKED)
        ended.append(session.session_id)
    seen, since, after = [], None, None
    while True:
        found = await control.revoked_since(since, after)
        seen += [gone.session_id for gone in found.revoked]
        since, after = found.as_of, found.after
        if after is None:
            break
    assert seen == ended
