"""Change and reset of the password: PW-7, PW-8."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.events.catalog import (
    AccountPasswordChanged,
    AccountResetRequested,
    SessionRevoked,
    SessionStarted,
)
from libs.kernel import RateLimitedError
from services.auth.domain import (
    SecondFactors,
    UserStatus,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    LinkInvalidError,
    PasswordInvalidError,
    PasswordWrongError,
    PendingSignInInvalidError,
    PersonalTokenInvalidError,
    RefreshTokenInvalidError,
    UserMissingError,
    VerificationTokenInvalidError,
)
from services.auth.service import (
    SecondFactorRequired,
    SignedIn,
    TokenWish,
    hash_personal_token,
)
from tests.unit.auth.conftest import EMAIL, PASSWORD

NEW = "staple battery horse"


@pytest.fixture
async def ann(house):
    """An active user."""
    return await house.join()


def _change(house, signed_in, *, current=PASSWORD, new=NEW):
    return house.state["password_change"].change(
        signed_in.user_id,
        signed_in.session_id,
        current=current,
        new=new,
        client_address="10.0.0.1",
    )


async def _forgot(house, email=EMAIL):
    await house.state["password_change"].request_reset(email=email)
    await house.bus.settled()


def _reset(house, token, password=NEW, address="10.0.0.1"):
    return house.state["password_change"].reset(
        token=token, password=password, client_address=address
    )


async def test_pw_7_change_ends_the_other_sessions_and_tells_the_owner(house, ann):
    """PW-7: the session that changes it stays, all others end, a mail goes out."""
    others = [await house.login() for _ in range(2)]
    own = await house.login()
    await _change(house, own)
    ended = {event.session_id for event in house.bus.published_of(SessionRevoked)}
    assert ended == {other.session_id for other in others}
    assert {gone.session_id for gone in house.announcer.announced} == ended
    assert (await house.mailed())[-1] is AccountPasswordChanged
    assert house.opened("email") == EMAIL
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    await house.login(password=NEW)


async def test_pw_7_change_needs_the_current_password(house, ann):
    """PW-7: a wrong one changes nothing, and five are counted as at sign-in."""
    own = await house.login()
    for _ in range(5):
        with pytest.raises(PasswordWrongError):
            await _change(house, own, current="wrong password here")
    with pytest.raises(RateLimitedError):
        await _change(house, own)
    with pytest.raises(RateLimitedError):
        await house.login()
    assert not house.bus.published_of(AccountPasswordChanged)


@pytest.mark.parametrize(
    ("new", "rule"),
    [
        ("short", "too_short"),
        ("Passwordstandard", "listed"),
        ("ann@example.test", "personal"),
    ],
)
async def test_pw_5_changed_password_obeys_the_rules(house, ann, new, rule):
    """PW-2, PW-5: a change and a reset ask the policy too."""
    own = await house.login()
    with pytest.raises(PasswordInvalidError) as caught:
        await _change(house, own, new=new)
    assert caught.value.rule == rule
    await _forgot(house)
    with pytest.raises(PasswordInvalidError) as caught:
        await _reset(house, house.token(), new)
    assert caught.value.rule == rule
    assert await house.login()


async def test_change_by_a_user_who_is_gone_is_not_found(house):
    """A token of a user who is not there any more changes nothing."""
    signed_in = type("Gone", (), {"user_id": "u", "session_id": "s"})
    with pytest.raises(UserMissingError):
        await _change(house, signed_in)


async def test_pw_8_reset_ends_every_session_and_starts_none(house, ann):
    """PW-8: the link sets the password; signing in is the next step."""
    before = await house.login()
    started = len(house.bus.published_of(SessionStarted))
    await _forgot(house)
    await _reset(house, house.token())
    [ended] = house.bus.published_of(SessionRevoked)
    assert (ended.session_id, ended.reason) == (before.session_id, "password_reset")
    assert len(house.bus.published_of(SessionStarted)) == started
    assert (await house.mailed())[-1] is AccountPasswordChanged
    await house.login(password=NEW)


async def _token(house, signed_in):
    wish = TokenWish("deploy", ("files:read",), 30)
    ids = (signed_in.user_id, signed_in.session_id)
    return await house.state["personal_tokens"].create(*ids, wish)


async def test_sr_6_a_reset_ends_personal_tokens(house, ann):
    """SR-6: whoever had the password may have made one; the mail says that they end."""
    made = await _token(house, await house.login())
    await _forgot(house)
    await _reset(house, house.token())
    ended = {event.session_id for event in house.bus.published_of(SessionRevoked)}
    assert made.token.token_id in ended
    with pytest.raises(PersonalTokenInvalidError):
        await house.state["personal_tokens"].resolve(hash_personal_token(made.text))
    assert (await house.mailed())[-1] is AccountPasswordChanged
    assert house.mails[-1][0].change == "reset"


async def test_a_change_by_the_current_password_leaves_personal_tokens(house, ann):
    """Programs do not stop without a word for what their owner did."""
    own = await house.login()
    made = await _token(house, own)
    await _change(house, own)
    tokens = house.state["personal_tokens"]
    assert (await tokens.resolve(hash_personal_token(made.text)))[1] == made.token
    await house.mailed()
    assert house.mails[-1][0].change == "changed"


async def test_pw_8_reset_never_skips_the_second_factor(house, ann):
    """PW-8, MF-3: after a reset the second factor is asked for as before."""
    factors = SecondFactors(ann).with_candidate("A" * 32, house.clock.now())
    await house.adapters.stores.second_factors.save(factors, None)
    await house.adapters.stores.second_factors.save(factors.with_totp(1, []), None)
    await _forgot(house)
    await _reset(house, house.token())
    assert isinstance(await house.login(password=NEW), SecondFactorRequired)


async def test_pw_7_a_waiting_sign_in_by_the_old_password_is_void(house, ann, settings):
    """PW-7, MF-3: who knew the old one sets up no factor after the reset."""
    required = settings.model_copy(update={"second_factor_roles": ("member",)})
    house.set_up_anew(required)
    pending = await house.login()
    await _forgot(house)
    await _reset(house, house.token())
    with pytest.raises(PendingSignInInvalidError):
        await house.state["enrolment_sign_in"].offer_totp(
            pending.pending_token, is_web_client=False
        )


class Interrupted:
    """A hasher during whose work something else happens."""

    def __init__(self, hasher, meanwhile):
        self._hasher = hasher
        self._meanwhile = meanwhile

    async def verify(self, password, stored):
        """Check a password; the first time something else is done as well."""
        is_match = await self._hasher.verify(password, stored)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return is_match

    def needs_rehash(self, stored):
        """Tell whether a hash is an old one."""
        return self._hasher.needs_rehash(stored)


async def test_pw_7_a_sign_in_under_way_does_not_outlast_the_old_password(
    house, ann, hasher
):
    """PW-7: the password is the current one when its session begins."""

    async def meanwhile():
        await _forgot(house)
        await _reset(house, house.token())

    sign_in = house.state["sign_in"]
    house.state["sign_in"] = replace(sign_in, hasher=Interrupted(hasher, meanwhile))
    with pytest.raises(CredentialsInvalidError):
        await house.login()
    listed = await house.state["session_control"].list_own(ann, after=None, limit=9)
    assert listed.items == []


async def test_a_sign_in_under_way_outlasts_a_new_hash_of_the_same_password(
    house, ann, hasher
):
    """A parallel sign-in may have stored the password anew."""
    credentials = house.adapters.stores.credentials

    async def meanwhile():
        stored = await credentials.get(ann, None)
        await credentials.replace(ann, stored, await hasher.hash(PASSWORD))

    sign_in = house.state["sign_in"]
    house.state["sign_in"] = replace(sign_in, hasher=Interrupted(hasher, meanwhile))
    assert isinstance(await house.login(), SignedIn)


async def test_pw_8_race_of_one_reset_link_has_one_winner(house, ann):
    """PW-8: of 50 parallel redemptions one succeeds."""
    await _forgot(house)
    token = house.token()
    results = await asyncio.gather(
        *(_reset(house, token, address=f"10.0.1.{n}") for n in range(50)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, LinkInvalidError) for result in results) == 49


async def test_pw_8_links_are_void_after_a_change_of_the_password(house, ann):
    """PW-8: neither an older reset link nor one of another purpose works then."""
    await _forgot(house)
    first = house.token()
    await _forgot(house)
    second = house.token()
    await _reset(house, second)
    with pytest.raises(LinkInvalidError):
        await _reset(house, first)
    await _forgot(house)
    third = house.token()
    own = await house.login(password=NEW)
    await _change(house, own, current=NEW, new=PASSWORD)
    with pytest.raises(LinkInvalidError):
        await _reset(house, third)


async def test_pw_8_no_reset_link_is_sent_beside_a_change_of_the_address(
    house, ann, monkeypatch
):
    """PW-8: the account is pinned, so the address is the one of this moment."""
    pinned = house.pins(monkeypatch)
    await _forgot(house)
    assert pinned == [ann]
    await _forgot(house, "nobody@example.test")
    assert pinned == [ann]


async def test_pw_8_nothing_begins_beside_a_new_password(house, ann, monkeypatch):
    """PW-8: sessions and tokens pin the account too, so none outlasts the others."""
    await _forgot(house)
    pinned = house.pins(monkeypatch)
    await _reset(house, house.token())
    assert pinned == [ann]
    own = await house.login(password=NEW)
    pinned.clear()
    await _change(house, own, current=NEW, new=PASSWORD)
    assert pinned == [ann]


async def test_pw_8_reset_link_expires_after_thirty_minutes(house, ann):
    """PW-8: a link is good for 30 minutes."""
    await _forgot(house)
    house.clock.advance(timedelta(minutes=30))
    with pytest.raises(LinkInvalidError):
        await _reset(house, house.token())


async def test_pw_8_link_does_nothing_that_it_was_not_sent_for(house, ann):
    """PW-8: a reset link verifies no address, a verification resets no password."""
    await _forgot(house)
    with pytest.raises(VerificationTokenInvalidError):
        await house.state["registration"].verify(house.token(), PASSWORD)
    token = await house.register("bob@example.test")
    with pytest.raises(LinkInvalidError):
        await _reset(house, token)


async def test_en_1_forgotten_password_of_nobody_is_silent(house, ann):
    """EN-1: unknown, waiting, suspended and provider-only accounts get no mail."""
    await house.register("pending@example.test")
    suspended = await house.join("suspended@example.test")
    user = await house.adapters.stores.users.get(suspended, None)
    changed = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(changed, None)
    provider_only = await house.join("sso@example.test")
    house.adapters.stores.credentials._hashes.pop(provider_only)
    for name in ("nobody", "pending", "suspended", "sso"):
        await _forgot(house, f"{name}@example.test")
    assert AccountResetRequested not in await house.mailed()
    await _forgot(house, EMAIL.upper())
    assert (await house.mailed())[-1] is AccountResetRequested


async def test_lt_5_invented_reset_links_are_throttled(house, ann):
    """LT-5: the 6th invented link from one network waits; elsewhere one works."""
    for _ in range(5):
        with pytest.raises(LinkInvalidError):
            await _reset(house, "x" * 43)
    with pytest.raises(RateLimitedError) as caught:
        await _reset(house, "x" * 43)
    assert caught.value.code == "attempts_throttled"
    await _forgot(house)
    await _reset(house, house.token(), address="10.0.0.2")


async def test_reset_mails_to_one_address_are_bounded(house, ann):
    """The sixth mail within an hour is not sent, and nobody is told."""
    for _ in range(8):
        await _forgot(house)
    assert (await house.mailed()).count(AccountResetRequested) == 4


async def test_lt_5_invented_refresh_tokens_are_throttled_genuine_ones_never(
    house, ann
):
    """LT-5: guessing at refresh tokens has the same budget and locks nobody out."""
    own = await house.login()
    renewal = house.state["renewal"]
    for _ in range(5):
        with pytest.raises(RefreshTokenInvalidError):
            await renewal.refresh("k~x~y~z", "10.0.0.1")
    with pytest.raises(RateLimitedError):
        await renewal.refresh("k~x~y~z", "10.0.0.1")
    assert await renewal.refresh(own.refresh_token, "10.0.0.1")


async def test_changes_of_the_password_are_recorded(house, ann):
    """AU: change, refused change and reset stand in the audit, with nothing private."""
    own = await house.login()
    with pytest.raises(PasswordWrongError):
        await _change(house, own, current="wrong password here")
    await _change(house, own)
    await _forgot(house)
    await _reset(house, house.token(), PASSWORD)
    actions = [entry.action for entry in house.adapters.stores.audit.entries]
    for action in ("password.change_refused", "password.changed", "password.reset"):
        assert actions.count(action) == 1
    assert PASSWORD not in str(house.adapters.stores.audit.entries)
