"""What must be known to judge and write a batch of deliveries, read in few queries."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.kernel import ConversationId, MessageId, UserId
from services.notification.domain.conversations import Conversation, Excerpt, Member
from services.notification.domain.decision import Circumstances
from services.notification.domain.delivery import Channel, Delivery
from services.notification.domain.devices import Device
from services.notification.domain.people import Person
from services.notification.ports import (
    ConversationRepository,
    DeliveryRepository,
    DeviceRepository,
    Line,
    PeopleRepository,
)


@dataclass(frozen=True)
class Dossier:
    """Everything about the deliveries of one batch.

    Attributes:
        people: Readers and senders.
        devices: Of pushes, by device id.
        suppressed: Addresses found dead before.
    """

    people: dict[UserId, Person]
    conversations: dict[ConversationId, Conversation]
    places: dict[tuple[ConversationId, UserId], Member]
    excerpts: dict[MessageId, Excerpt]
    devices: dict[str, Device]
    suppressed: set[str]

    def circumstances(self, delivery: Delivery) -> Circumstances:
        """Return what is known of one delivery."""
        user_id, conversation_id = delivery.user_id, delivery.conversation_id
        address = self.address(delivery)
        place = None
        if user_id is not None and conversation_id is not None:
            place = self.places.get((conversation_id, user_id))
        return Circumstances(
            person=self.people.get(user_id) if user_id else None,
            conversation=(
                self.conversations.get(conversation_id) if conversation_id else None
            ),
            member=place,
            excerpts=[
                self.excerpts[ref.message_id]
                for ref in delivery.messages
                if ref.message_id in self.excerpts
            ],
            has_target=self._has_target(delivery),
            is_suppressed=address is not None and address in self.suppressed,
        )

    def address(self, delivery: Delivery) -> str | None:
        """Return the mail address of a delivery, None where there is none."""
        if delivery.notice is not None:
            return delivery.notice.address
        reader = self.people.get(delivery.user_id) if delivery.user_id else None
        return reader.email if reader else None

    def line(self, excerpt: Excerpt) -> Line:
        """Return a message with the name of who sent it."""
        sender = self.people.get(excerpt.sender_id)
        return Line(excerpt, sender.display_name if sender else "")

    def _has_target(self, delivery: Delivery) -> bool:
        if delivery.channel is Channel.EMAIL:
            return self.address(delivery) is not None
        device = self.devices.get(delivery.target)
        return device is not None and device.user_id == delivery.user_id


class Registry:
    """Reads dossiers.

    Args:
        people: Projection of users.
        conversations: Projection of conversations.
        devices: Where push goes.
        deliveries: Holds the suppressed addresses.
    """

    def __init__(
        self,
        *,
        people: PeopleRepository,
        conversations: ConversationRepository,
        devices: DeviceRepository,
        deliveries: DeliveryRepository,
    ) -> None:
        self._people = people
        self._conversations = conversations
        self._devices = devices
        self._deliveries = deliveries

    async def dossier(self, deliveries: Sequence[Delivery]) -> Dossier:
        """Read all that a batch needs."""
        refs = {ref.message_id for d in deliveries for ref in d.messages}
        excerpts = await self._conversations.excerpts(refs)
        people = await self._people.get(
            {d.user_id for d in deliveries if d.user_id}
            | {excerpt.sender_id for excerpt in excerpts.values()}
        )
        pairs = {
            (d.conversation_id, d.user_id)
            for d in deliveries
            if d.conversation_id and d.user_id
        }
        devices = {d.target for d in deliveries if d.channel is Channel.PUSH}
        partial = Dossier(
            people=people,
            conversations=await self._conversations.get({pair[0] for pair in pairs}),
            places=await self._conversations.places(pairs),
            excerpts=excerpts,
            devices=await self._devices.get(devices),
            suppressed=set(),
        )
        mails = [d for d in deliveries if d.channel is Channel.EMAIL]
        addresses = {a for d in mails if (a := partial.address(d)) is not None}
        partial.suppressed.update(await self._deliveries.suppressed(addresses))
        return partial
