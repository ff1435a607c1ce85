"""Hands parcels of one channel to its provider."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog

from libs.kernel import Clock
from services.notification.domain.conversations import Excerpt
from services.notification.domain.delivery import (
    Channel,
    Delivery,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
)
from services.notification.domain.people import Person
from services.notification.ports import (
    Composer,
    DeliveryRepository,
    DeviceRepository,
    Mail,
    MailSender,
    Push,
    PushSender,
    Session,
)
from services.notification.service.dossier import Dossier

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True)
class Parcel:
    """A delivery that is to be sent now, with the messages it tells of."""

    delivery: Delivery
    excerpts: tuple[Excerpt, ...] = ()


class Desk(Protocol):
    """What differs between the ways of sending."""

    @property
    def channel(self) -> Channel:
        """The way it sends."""
        ...

    @property
    def group_size(self) -> int:
        """How many parcels it takes at once."""
        ...

    async def send(self, parcels: Sequence[Parcel], seen: Dossier) -> list[Outcome]:
        """Write and hand over parcels; one outcome each, in order; none is raised."""
        ...

    async def bury(self, delivery: Delivery, seen: Dossier, session: Session) -> None:
        """Never use the delivery's target again."""
        ...


class MailDesk:
    """Sends mails, a few side by side.

    Args:
        composer: Writes them.
        sender: Takes them.
        deliveries: Keeps the suppressed addresses.
        clock: Time.
        group_size: Mails on the way at the same time.
    """

    channel = Channel.EMAIL

    def __init__(
        self,
        *,
        composer: Composer,
        sender: MailSender,
        deliveries: DeliveryRepository,
        clock: Clock,
        group_size: int = 4,
    ) -> None:
        self._composer = composer
        self._sender = sender
        self._deliveries = deliveries
        self._clock = clock
        self.group_size = group_size

    async def send(self, parcels: Sequence[Parcel], seen: Dossier) -> list[Outcome]:
        """Write and hand over mails side by side; see `Desk.send`."""
        return list(
            await asyncio.gather(*(self._send(parcel, seen) for parcel in parcels))
        )

    async def bury(self, delivery: Delivery, seen: Dossier, session: Session) -> None:
        """Suppress the address."""
        address = seen.address(delivery)
        if address is not None:
            await self._deliveries.suppress(
                address,
                user_id=delivery.user_id,
                reason="mailbox_refused",
                now=self._clock.now(),
                session=session,
            )

    async def _send(self, parcel: Parcel, seen: Dossier) -> Outcome:
        mail = _written(partial(self._write, parcel, seen))
        if isinstance(mail, Postponed):
            return mail
        if mail is None:
            return Rejected("unreadable")
        answer = await _handed_over(self._sender.send(mail))
        return answer or Unknown("sender_failed")

    def _write(self, parcel: Parcel, seen: Dossier) -> Mail | None:
        delivery = parcel.delivery
        if delivery.notice is not None:
            return self._composer.notice(delivery, delivery.notice)
        reader = seen.people.get(delivery.user_id) if delivery.user_id else None
        conversation = (
            seen.conversations.get(delivery.conversation_id)
            if delivery.conversation_id
            else None
        )
        if reader is None or reader.email is None or conversation is None:
            return None
        lines = [seen.line(excerpt) for excerpt in parcel.excerpts]
        return self._composer.missed(delivery, reader, conversation, lines)


class PushDesk:
    """Sends pushes in batches.

    Args:
        composer: Writes them.
        sender: Takes them.
        devices: Whose dead tokens are removed.
        group_size: Pushes in one call of the provider.
    """

    channel = Channel.PUSH

    def __init__(
        self,
        *,
        composer: Composer,
        sender: PushSender,
        devices: DeviceRepository,
        group_size: int = 20,
    ) -> None:
        self._composer = composer
        self._sender = sender
        self._devices = devices
        self.group_size = group_size

    async def send(self, parcels: Sequence[Parcel], seen: Dossier) -> list[Outcome]:
        """Write and hand over pushes in one call; see `Desk.send`."""
        written = [_written(partial(self._write, one, seen)) for one in parcels]
        pushes = [push for push in written if isinstance(push, Push)]
        answers = await _handed_over(self._sender.send(pushes)) if pushes else []
        left = iter(answers or [Unknown("sender_failed")] * len(pushes))
        return [push if isinstance(push, Postponed) else next(left) for push in written]

    async def bury(self, delivery: Delivery, seen: Dossier, session: Session) -> None:
        """Remove the device: its token is dead."""
        del seen
        await self._devices.remove(delivery.target, session=session)

    def _write(self, parcel: Parcel, seen: Dossier) -> Push:
        delivery = parcel.delivery
        device = seen.devices[delivery.target]  # judged: it is there and the reader's
        reader = seen.people.get(device.user_id) or Person(device.user_id)
        line = seen.line(parcel.excerpts[0])
        return self._composer.push(delivery, reader, device, line)


def _written(write: Callable[[], T]) -> T | Postponed:
    """Write one; what cannot be written waits, for it may be a fault of ours."""
    try:
        return write()
    except Exception as error:  # noqa: BLE001 - raised on, it would cost the others
        # Its kind alone: its words may quote an address or a text.
        log.error("delivery_unwritable", error=type(error).__name__)  # noqa: TRY400
        return Postponed("unwritable")


async def _handed_over(sending: Awaitable[T]) -> T | None:
    """Hand over; None where a sender raised after all and may have sent."""
    try:
        return await sending
    except Exception as error:  # noqa: BLE001 - what went out must not go out thrice
        log.error("sender_failed", error=type(error).__name__)  # noqa: TRY400
        return None
