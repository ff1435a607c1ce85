"""The former address takes a change of the address back (PW-7, PW-8)."""

import asyncio
from datetime import timedelta

import pytest

from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailStopOffered,
    AccountResetRequested,
    UserUpdated,
)
from services.auth.domain import (
    SUSPECT_BEFORE,
    CeremonyPurpose,
    ProviderLink,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    LinkInvalidError,
    RefreshTokenInvalidError,
    SecondFactorInvalidError,
)
from tests.support.authenticator import Authenticator
from tests.unit.auth.conftest import ADDRESS, EMAIL, PASSWORD

ORIGIN = "https://chat.example.test"
THEIRS = "thief@example.test"
NEW = "quite another sentence"


@pytest.fixture
async def ann(house):
    """The session of an active user, which a thief has as well."""
    await house.join()
    return await house.login()


async def _change(house, own, email=THEIRS):
    """Change the address, as whoever has the session may."""
    change = house.state["email_change"]
    await change.request(own.user_id, own.session_id, email=email)
    await house.bus.settled()
    await change.confirm(token=house.token(), client_address=ADDRESS)
    await house.bus.settled()


def _stop(house, token, address=ADDRESS):
    return house.state["email_stop"].stop(token=token, client_address=address)


def _stop_tokens(house):
    """Return the tokens that former addresses got, the oldest first."""
    return [
        house.opened("token", index)
        for index, (event, _) in enumerate(house.mails)
        if isinstance(event, AccountEmailStopOffered)
    ]


async def test_pw_7_the_former_address_takes_the_account_back(house, ann):
    """PW-7: the address is restored; sessions, password and the thief's mail end."""
    await _change(house, ann)
    [token] = _stop_tokens(house)
    thiefs = await house.login(THEIRS)
    await _stop(house, token)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(thiefs.refresh_token)
    for email in (THEIRS, EMAIL):
        with pytest.raises(CredentialsInvalidError):
            await house.login(email)
    assert (await house.mailed())[-2:] == [AccountEmailChanged, AccountResetRequested]
    assert house.opened("email") == EMAIL
    assert house.opened("new_email", -2) == EMAIL
    assert len(house.bus.published_of(UserUpdated)) == 2
    await house.state["password_change"].reset(
        token=house.token(), password=NEW, client_address=ADDRESS
    )
    assert (await house.login(password=NEW)).user_id == ann.user_id


async def test_mf_3_what_the_thief_added_signs_nobody_in(house, ann):
    """MF-3: a key of before stays, one from after the change is no way back."""
    passkeys, ids = house.state["passkeys"], (ann.user_id, ann.session_id)
    mine, theirs = Authenticator(ORIGIN), Authenticator(ORIGIN)
    await passkeys.add(*ids, "mine", mine.create(await passkeys.offer(*ids)))
    house.clock.advance(SUSPECT_BEFORE + timedelta(minutes=1))
    again = await _by_passkey(house, mine)
    await _change(house, again)
    ids = again.user_id, again.session_id
    await passkeys.add(*ids, "theirs", theirs.create(await passkeys.offer(*ids)))
    await _link(house, ann)
    [token] = _stop_tokens(house)
    await _stop(house, token)
    assert await house.state["provider_links"].list_own(ann.user_id) == {}
    signed_in = await _by_passkey(house, mine)
    assert signed_in.user_id == ann.user_id
    with pytest.raises(SecondFactorInvalidError):
        await _by_passkey(house, theirs)


async def test_mf_3_what_the_thief_prepared_signs_nobody_in(house, ann):
    """MF-3: who adds a key and an identity first, then asks for the change, is out."""
    passkeys, ids = house.state["passkeys"], (ann.user_id, ann.session_id)
    theirs = Authenticator(ORIGIN)
    await passkeys.add(*ids, "theirs", theirs.create(await passkeys.offer(*ids)))
    await _link(house, ann)
    house.clock.advance(timedelta(minutes=1))
    await _change(house, ann)
    [token] = _stop_tokens(house)
    await _stop(house, token)
    assert await house.state["provider_links"].list_own(ann.user_id) == {}
    with pytest.raises(SecondFactorInvalidError):
        await _by_passkey(house, theirs)


async def test_who_has_no_password_keeps_the_way_in_of_before(house, ann):
    """No mail leads them back, so a young identity is theirs until the contrary."""
    await house.adapters.stores.credentials.remove(ann.user_id, None)
    await _link(house, ann)
    house.clock.advance(timedelta(minutes=1))
    await _change(house, ann)
    [token] = _stop_tokens(house)
    await _stop(house, token)
    assert list(await house.state["provider_links"].list_own(ann.user_id)) == ["acme"]


async def _link(house, ann):
    link = ProviderLink(
        ann.user_id, "acme", "https://idp.acme.test", "thief", house.clock.now()
    )
    await house.adapters.stores.identities.links.add(link, None)


async def _by_passkey(house, authenticator):
    passkeys = house.state["passkeys"]
    options = await passkeys.begin(CeremonyPurpose.SIGN_IN, "")
    return await passkeys.sign_in(authenticator.get(options), house.device())


async def test_it_stops_a_change_that_is_only_asked_for(house, ann):
    """Before the new address confirms: then nobody confirms it any more."""
    change = house.state["email_change"]
    await change.request(ann.user_id, ann.session_id, email=THEIRS)
    await house.bus.settled()
    confirmation, [token] = house.token(), _stop_tokens(house)
    await _stop(house, token)
    with pytest.raises(LinkInvalidError):
        await change.confirm(token=confirmation, client_address=ADDRESS)
    with pytest.raises(RefreshTokenInvalidError):
        await house.state["renewal"].refresh(ann.refresh_token)


async def test_the_thief_does_not_void_it(house, ann):
    """PW-8 voids links at a change of the password; this one is there to undo that."""
    await _change(house, ann)
    thiefs = await house.login(THEIRS)
    await house.state["password_change"].change(
        thiefs.user_id,
        thiefs.session_id,
        current=PASSWORD,
        new=NEW,
        client_address=ADDRESS,
    )
    [token] = _stop_tokens(house)
    await _stop(house, token)
    assert (await house.user(ann.user_id)).email.written == EMAIL


@pytest.mark.parametrize("is_thief_first", [True, False])
async def test_of_two_changes_the_first_one_is_undone(house, ann, is_thief_first):
    """A second change gives the thief a link as well: it wins no race."""
    await _change(house, ann)
    house.clock.advance(timedelta(minutes=1))
    await _change(house, await house.login(THEIRS), "second@example.test")
    mine, theirs = _stop_tokens(house)
    if is_thief_first:
        await _stop(house, theirs)
    await _stop(house, mine)
    assert (await house.user(ann.user_id)).email.written == EMAIL
    with pytest.raises(LinkInvalidError):
        await _stop(house, theirs)


async def test_pw_8_of_50_parallel_uses_one_succeeds(house, ann):
    """PW-8: and it lives three days."""
    await _change(house, ann)
    [token] = _stop_tokens(house)
    house.clock.advance(timedelta(days=3) - timedelta(minutes=1))
    results = await asyncio.gather(
        *(_stop(house, token, f"10.0.1.{n}") for n in range(50)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, LinkInvalidError) for result in results) == 49


async def test_after_three_days_the_change_stands(house, ann):
    """Somebody who left a mailbox behind is not undone for ever."""
    await _change(house, ann)
    [token] = _stop_tokens(house)
    house.clock.advance(timedelta(days=3))
    with pytest.raises(LinkInvalidError):
        await _stop(house, token)


async def test_it_is_recorded(house, ann):
    """Section 3: of nobody, for whoever has the link did it."""
    await _change(house, ann)
    [token] = _stop_tokens(house)
    await _stop(house, token)
    [entry] = house.adapters.stores.audit.of("email.change_stopped")
    assert (entry.actor_id, entry.target_id) == ("anonymous", ann.user_id)
