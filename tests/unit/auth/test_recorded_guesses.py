"""What the throttle refuses, and what is right at last, stands in the audit."""

from datetime import timedelta

import pytest

from libs.chassis.audit import ANONYMOUS_ACTOR, AuditResult
from libs.events.catalog import AccountPasswordGuessed
from libs.kernel import UnavailableError
from services.auth.domain.errors import (
    CredentialsInvalidError,
    LoginThrottledError,
    SecondFactorInvalidError,
)
from services.auth.domain.guess import WRONG_TOLD
from services.auth.service import RecoveryProof
from services.auth.service.recorded_guesses import NETWORK_RECORDS, SECRET_RECORDS
from tests.unit.auth.conftest import ADDRESS, EMAIL, PASSWORD
from tests.unit.auth.test_second_factors import Person

ELSEWHERE = "10.9.9.9"
FREE = 5
OF_A_NETWORK = 50
OF_AN_ACCOUNT = 50


@pytest.fixture
async def ann(house):
    """An active user."""
    return await house.join()


async def _fail(house, times, *, email=EMAIL, address=ADDRESS):
    for _ in range(times):
        with pytest.raises(CredentialsInvalidError):
            await house.login(email, password=PASSWORD + "!", address=address)


async def _refused(house, *, email=EMAIL, address=ADDRESS):
    with pytest.raises(LoginThrottledError):
        await house.login(email, address=address)


def _refusals(house):
    return house.adapters.stores.audit.of("guess.refused")


async def test_au_2_a_refusal_by_the_throttle_is_recorded_once_a_minute(house, ann):
    """AU-2: the lock says whose secret, which and from where; repeats add nothing."""
    await _fail(house, FREE)
    for _ in range(3):
        await _refused(house)
    [kept] = _refusals(house)
    assert (kept.actor_id, kept.target_id) == (ANONYMOUS_ACTOR, ann)
    assert (kept.source, kept.result) == (ADDRESS, AuditResult.REFUSED)
    assert (kept.reason, kept.details) == ("login_throttled", {"purpose": "password"})
    house.clock.advance(timedelta(seconds=61))
    await _fail(house, 1)
    await _refused(house)
    assert len(_refusals(house)) == 2


async def test_en_2_an_unknown_address_is_recorded_as_a_known_one_is(house, ann):
    """EN-2: what is written, and so what it takes, does not tell who has an account."""
    stranger = "nobody@example.test"
    await _fail(house, FREE, email=stranger)
    await _refused(house, email=stranger)
    [kept] = _refusals(house)
    assert (kept.target_id, kept.reason) == ("", "login_throttled")


async def test_a_network_that_tries_everybody_does_not_fill_the_audit(house):
    """However many addresses one network names, a minute has a few records of it."""
    for number in range(OF_A_NETWORK):
        await _fail(house, 1, email=f"p{number}@example.test")
    for number in range(2 * NETWORK_RECORDS):
        await _refused(house, email=f"q{number}@example.test")
    assert len(_refusals(house)) == NETWORK_RECORDS


async def test_many_networks_that_try_one_secret_do_not_fill_the_audit(house, ann):
    """However many networks one client has, an account's minute has a few records."""
    for number in range(OF_AN_ACCOUNT):
        await _fail(house, 1, address=f"10.1.0.{number}")
    for number in range(2 * SECRET_RECORDS):
        await _refused(house, address=f"2001:db8:0:{number:x}::1")
    assert len(_refusals(house)) == SECRET_RECORDS
    house.clock.advance(timedelta(seconds=61))
    await _fail(house, 1)
    await _refused(house)
    assert len(_refusals(house)) == SECRET_RECORDS + 1


async def test_what_cannot_be_recorded_is_refused_all_the_same(house, ann, monkeypatch):
    """A lock stands without its record."""
    await _fail(house, FREE)

    async def away(entry, session):
        code = "audit_unavailable"
        raise UnavailableError(code, "Away.")

    monkeypatch.setattr(house.adapters.stores.audit, "record", away)
    await _refused(house)


async def test_a_right_password_after_wrong_ones_is_recorded_and_told(house, ann):
    """The owner is told of it where it came from a device that was not there before."""
    await house.login()
    await _fail(house, WRONG_TOLD, address=ELSEWHERE)
    await house.login(address=ELSEWHERE)
    [kept] = house.adapters.stores.audit.of("password.guessed")
    assert (kept.actor_id, kept.source) == (ann, ELSEWHERE)
    assert kept.details == {"wrong_before": WRONG_TOLD, "is_new_device": True}
    await house.bus.settled()
    [told] = house.bus.published_of(AccountPasswordGuessed)
    assert (told.user_id, told.wrong_before) == (ann, WRONG_TOLD)
    assert house.opened("email") == EMAIL


async def test_a_known_device_is_recorded_and_not_told(house, ann):
    """Its name and its network were seen together before: the owner's own fingers."""
    await house.login()
    await _fail(house, WRONG_TOLD)
    await house.login()
    [kept] = house.adapters.stores.audit.of("password.guessed")
    assert kept.details["is_new_device"] is False
    assert house.bus.published_of(AccountPasswordGuessed) == []


async def test_a_slip_or_two_is_neither_recorded_nor_told(house, ann):
    """Fewer wrong ones are ordinary, and a success forgets those before it."""
    for _ in range(2):
        await _fail(house, WRONG_TOLD - 1)
        await house.login(address=ELSEWHERE)
    assert house.adapters.stores.audit.of("password.guessed") == []


async def test_a_right_code_after_wrong_ones_is_recorded(house, ann):
    """Of second factors the audit tells it too."""
    person = await Person(house, ann, await house.login()).enrol()
    pending = await house.login()
    for _ in range(WRONG_TOLD):
        with pytest.raises(SecondFactorInvalidError):
            await person.finish(pending, RecoveryProof("wrong"))
    await person.finish(pending, RecoveryProof(person.codes[0]))
    [kept] = house.adapters.stores.audit.of("second_factor.guessed")
    assert kept.actor_id == ann
    assert kept.details == {"factor": "recovery", "wrong_before": WRONG_TOLD}
