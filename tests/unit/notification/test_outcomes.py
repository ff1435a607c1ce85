"""What a provider answered is kept, whatever happens to the store or to one message."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.kernel import UnavailableError
from services.notification.delivery.composer import TemplateComposer
from services.notification.delivery.memory import MemoryMailSender, MemoryPushSender
from services.notification.domain.delivery import (
    Delivery,
    DeliveryState,
    Outcome,
    Postponed,
)
from services.notification.ports import Mail, Push
from services.notification.repository.memory import MemoryDeliveryRepository
from services.notification.service.desk import MailDesk, PushDesk
from services.notification.service.dispatch import Dispatcher
from tests.unit.notification.conftest import House

LINK = "https://chat.example.org"


class FlakyDeliveries(MemoryDeliveryRepository):
    """A store that fails so often, each time after a while."""

    def __init__(self, house: House, failures: int, lasting: float = 1) -> None:
        super().__init__(house.clock)
        self.rows = house.deliveries.rows
        self.failures = failures
        self._house = house
        self._lasting = timedelta(seconds=lasting)

    async def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        reason: str | None,
        now: datetime,
        session: Any = None,
    ) -> bool:
        """Fail, or settle."""
        self._stumble()
        return await super().settle(
            delivery, state, reason=reason, now=now, session=session
        )

    async def put_back(self, delivery: Delivery, **back: Any) -> None:
        """Fail, or put back."""
        self._stumble()
        await super().put_back(delivery, **back)

    def _stumble(self) -> None:
        if self.failures:
            self.failures -= 1
            self._house.clock.advance(self._lasting)
            raise UnavailableError("database_unavailable", "Away for a moment.")


class BrokenDeliveries(FlakyDeliveries):
    """A store that never takes one delivery, for no reason that would pass."""

    async def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        reason: str | None,
        now: datetime,
        session: Any = None,
    ) -> bool:
        """Refuse the first that comes, for ever."""
        self.refused = getattr(self, "refused", delivery.delivery_id)
        if delivery.delivery_id == self.refused:
            self._house.clock.advance(self._lasting)
            raise ValueError("a bug")
        return await super().settle(
            delivery, state, reason=reason, now=now, session=session
        )


class CrashingPushSender(MemoryPushSender):
    """Takes the pushes, then breaks its promise to raise nothing."""

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Take, then break."""
        await super().send(pushes)
        raise ValueError("a bug")


class CrashingMailSender(MemoryMailSender):
    """Takes the mails; breaks at those to Bob."""

    async def send(self, mail: Mail) -> Outcome:
        """Take, then break."""
        outcome = await super().send(mail)
        if mail.address.startswith("bob"):
            raise ValueError("a bug")
        return outcome


class CrashingComposer(TemplateComposer):
    """Has no words for Bob."""

    def missed(self, delivery: Any, reader: Any, *rest: Any) -> Mail:
        """Write, or break."""
        if reader.display_name == "Bob":
            raise ValueError("a bug")
        return super().missed(delivery, reader, *rest)

    def push(self, delivery: Any, reader: Any, *rest: Any) -> Push:
        """Write, or break."""
        if reader.display_name == "Bob":
            raise ValueError("a bug")
        return super().push(delivery, reader, *rest)


async def group_of_messages(house: House, *names: str) -> None:
    """Let Ada write to a group of the named."""
    people = [await house.member(name) for name in ("Ada", *names)]
    conversation = await house.converse(*people, kind="group")
    await house.say(conversation, people[0])


def pushes_over(house: House, deliveries: MemoryDeliveryRepository) -> Dispatcher:
    """Return a dispatcher of pushes over another store."""
    house.deliveries = deliveries
    composer = TemplateComposer(LINK)
    return house.dispatcher(
        PushDesk(composer=composer, sender=house.push, devices=house.devices)
    )


@pytest.mark.parametrize("failures", [1, 2, 5])
async def test_an_outcome_outlives_a_stumbling_store(
    house: House, failures: int
) -> None:
    """Accepted pushes are stored as soon as the store is back: none goes out twice."""
    await group_of_messages(house, "Bob", "Cat", "Dan")
    dispatcher = pushes_over(house, FlakyDeliveries(house, failures))

    await dispatcher.run_once()
    house.clock.advance(timedelta(seconds=60))
    await dispatcher.run_once()

    assert sorted(push.token for push in house.push.sent) == [
        "token-of-Bob",
        "token-of-Cat",
        "token-of-Dan",
    ]
    assert house.state("push") == [("sent", None)] * 3


async def test_an_outcome_outlives_its_lease(house: House) -> None:
    """While the store is away nobody else can claim either: it is still the first."""
    await group_of_messages(house, "Bob")
    dispatcher = pushes_over(house, FlakyDeliveries(house, 4, lasting=15))

    await dispatcher.run_once()
    await dispatcher.run_once()

    assert len(house.push.sent) == 1
    assert house.state("push") == [("sent", None)]


async def test_an_outcome_that_cannot_be_stored_drops_no_other(house: House) -> None:
    """One is given up with its lease; the rest is stored at once."""
    await group_of_messages(house, "Bob", "Cat", "Dan")
    broken = BrokenDeliveries(house, 0, lasting=15)
    dispatcher = pushes_over(house, broken)

    with pytest.raises(ValueError, match="a bug"):
        await dispatcher.run_once()

    assert sorted(house.state("push")) == [
        ("pending", None),
        ("sent", None),
        ("sent", None),
    ]


async def test_a_postponed_push_is_put_back_in_the_end(house: House) -> None:
    """Not only final outcomes are kept: tries are counted too."""
    await group_of_messages(house, "Bob")
    house.push.outcomes = [Postponed("fcm_500")]
    dispatcher = pushes_over(house, FlakyDeliveries(house, 2))

    await dispatcher.run_once()

    [row] = [r for r in house.deliveries.rows.values() if r.delivery.channel == "push"]
    assert (row.reason, row.delivery.attempts) == ("fcm_500", 1)


async def test_a_sender_that_breaks_may_have_sent(house: House) -> None:
    """The answers are lost: once more under the same id, and never a third time."""
    await group_of_messages(house, "Bob", "Cat")
    sender = CrashingPushSender()
    dispatcher = house.dispatcher(
        PushDesk(composer=TemplateComposer(LINK), sender=sender, devices=house.devices)
    )

    for _ in range(5):
        await dispatcher.run_once()
        house.clock.advance(timedelta(seconds=60))

    assert len(sender.sent) == 4
    assert house.state("push") == [("failed", "unconfirmed")] * 2


async def test_one_mail_that_breaks_costs_no_other(house: House) -> None:
    """The mails beside it keep their outcomes."""
    await group_of_messages(house, "Bob", "Cat")
    sender = CrashingMailSender()
    dispatcher = house.dispatcher(
        MailDesk(
            composer=TemplateComposer(LINK),
            sender=sender,
            deliveries=house.deliveries,
            clock=house.clock,
        )
    )
    house.clock.advance(timedelta(seconds=60))

    for _ in range(5):
        await dispatcher.run_once()
        house.clock.advance(timedelta(seconds=60))

    sent = [mail.address for mail in sender.sent]
    assert sent.count("cat@example.org") == 1
    assert sent.count("bob@example.org") == 2
    assert sorted(house.state("email")[-2:], key=str) == [
        ("failed", "unconfirmed"),
        ("sent", None),
    ]


async def test_one_that_cannot_be_written_costs_no_other(house: House) -> None:
    """It waits for better words; the others go out, once."""
    await group_of_messages(house, "Bob", "Cat")
    composer = CrashingComposer(LINK)
    pushes = house.dispatcher(
        PushDesk(composer=composer, sender=house.push, devices=house.devices)
    )
    mails = house.dispatcher(
        MailDesk(
            composer=composer,
            sender=house.mail,
            deliveries=house.deliveries,
            clock=house.clock,
        )
    )

    await pushes.run_once()
    house.clock.advance(timedelta(seconds=60))
    await mails.run_once()

    assert [push.token for push in house.push.sent] == ["token-of-Cat"]
    assert [mail.address for mail in house.mail.sent] == ["cat@example.org"]
    assert ("pending", "unwritable") in house.state("push")
    assert ("pending", "unwritable") in house.state("email")
