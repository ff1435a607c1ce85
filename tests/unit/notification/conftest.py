"""The whole service in memory: consumers, use cases, dispatchers, no socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from libs.crypto import FieldSealer, KeyRing
from libs.events import Event
from libs.events.catalog import (
    ConversationCreated,
    MessageSent,
    NotificationFailed,
    NotificationSent,
    UserVerified,
)
from libs.events.memory import InMemoryBus
from libs.kernel import EventId, FrozenClock, SystemClock, UserId, new_id
from services.notification.consumers import worker
from services.notification.delivery.composer import TemplateComposer
from services.notification.delivery.memory import MemoryMailSender, MemoryPushSender
from services.notification.domain.decision import Timing
from services.notification.domain.devices import Platform
from services.notification.domain.people import Presence
from services.notification.repository.memory import (
    MemoryConversationRepository,
    MemoryDeliveryRepository,
    MemoryDeviceRepository,
    MemoryNotificationRepository,
    MemoryPeopleRepository,
)
from services.notification.service.accounts import AccountMails
from services.notification.service.desk import Desk, MailDesk, PushDesk
from services.notification.service.dispatch import Dispatcher, Rhythm
from services.notification.service.dossier import Registry
from services.notification.service.erasure import PersonErasure
from services.notification.service.inbound import Inbound
from services.notification.service.intake import MessageIntake
from services.notification.service.lists import InAppLists

TIMING = Timing(email_delay=timedelta(seconds=60))


@dataclass
class House:
    """Notification on memory adapters, and the events that reach it."""

    clock: FrozenClock = field(default_factory=lambda: FrozenClock(SystemClock().now()))
    mail: MemoryMailSender = field(default_factory=MemoryMailSender)
    push: MemoryPushSender = field(default_factory=MemoryPushSender)
    people: MemoryPeopleRepository = field(default_factory=MemoryPeopleRepository)
    conversations: MemoryConversationRepository = field(
        default_factory=MemoryConversationRepository
    )
    notifications: MemoryNotificationRepository = field(
        default_factory=MemoryNotificationRepository
    )
    devices: MemoryDeviceRepository = field(default_factory=MemoryDeviceRepository)

    def __post_init__(self) -> None:
        self.bus = InMemoryBus("notification", clock=self.clock)
        self.deliveries = MemoryDeliveryRepository(self.clock)
        self.sealer = FieldSealer(KeyRing.generate())
        self.inbound = Inbound(
            intake=MessageIntake(
                conversations=self.conversations,
                people=self.people,
                notifications=self.notifications,
                devices=self.devices,
                deliveries=self.deliveries,
                clock=self.clock,
                timing=TIMING,
            ),
            accounts=AccountMails(deliveries=self.deliveries, clock=self.clock),
            people=self.people,
            conversations=self.conversations,
            message_sealer=self.sealer,
            account_sealer=self.sealer,
            erasure=PersonErasure(
                bus=self.bus,
                people=self.people,
                notifications=self.notifications,
                devices=self.devices,
                deliveries=self.deliveries,
            ),
        )
        self.lists = InAppLists(
            notifications=self.notifications,
            conversations=self.conversations,
            people=self.people,
        )
        self.registry = Registry(
            people=self.people,
            conversations=self.conversations,
            devices=self.devices,
            deliveries=self.deliveries,
        )
        composer = TemplateComposer("https://chat.example.org/")
        self.mails = self.dispatcher(
            MailDesk(
                composer=composer,
                sender=self.mail,
                deliveries=self.deliveries,
                clock=self.clock,
                group_size=2,
            )
        )
        self.pushes = self.dispatcher(
            PushDesk(composer=composer, sender=self.push, devices=self.devices)
        )

    def dispatcher(self, desk: Desk, **rhythm: Any) -> Dispatcher:
        """Return a dispatcher of this house."""
        return Dispatcher(
            desk=desk,
            registry=self.registry,
            deliveries=self.deliveries,
            bus=self.bus,
            clock=self.clock,
            timing=TIMING,
            rhythm=Rhythm(holder="test-1", **rhythm),
        )

    async def take(self, event: Event, event_id: EventId | None = None) -> EventId:
        """Publish an event and wait until it is handled."""
        async with self.bus.transaction() as transaction:
            event_id = transaction.publish(event, event_id=event_id)
        await self.bus.settled()
        return event_id

    async def tick(self, seconds: float = 0) -> None:
        """Let time pass, then send what is due."""
        self.clock.advance(timedelta(seconds=seconds))
        await self.mails.run_once()
        await self.pushes.run_once()

    async def member(self, name: str, **changes: Any) -> UserId:
        """Return a verified user, welcomed already, with a phone."""
        user_id, event_id = UserId(new_id()), EventId(new_id())
        fields = {"display_name": name, "locale": "en", **changes}
        address = f"{name.lower()}@example.org"
        email = self.seal(address, event_id, "user.verified", "email", user_id)
        await self.take(
            UserVerified(user_id=user_id, revision=2, email=email, **fields), event_id
        )
        await self.devices.register(
            user_id,
            token=f"token-of-{name}",
            platform=Platform.ANDROID,
            name="Phone",
            now=self.clock.now(),
        )
        await self.tick()
        self.mail.sent.clear()
        return user_id

    async def come(self, user_id: UserId, presence: Presence) -> None:
        """Somebody came or went."""
        self.clock.advance(timedelta(milliseconds=1))
        await self.people.put_presence(user_id, presence, self.clock.now())

    async def prefer(self, user_id: UserId, **chosen: Any) -> None:
        """Somebody chose something."""
        known = (await self.people.get([user_id]))[user_id].preferences
        await self.people.put_preferences(user_id, replace(known, **chosen))

    async def converse(
        self, *members: UserId, kind: str = "direct", title: str | None = None
    ) -> str:
        """A conversation began; returns its id."""
        conversation_id, event_id = new_id(), EventId(new_id())
        sealed = title and self.seal(
            title, event_id, "conversation.created", "title", conversation_id
        )
        await self.take(
            ConversationCreated(
                conversation_id=conversation_id,
                revision=1,
                kind=kind,
                project_id=None,
                title=sealed or None,
                created_by=members[0],
                members=tuple((one, "member") for one in members),
            ),
            event_id,
        )
        return conversation_id

    def message(
        self, conversation_id: str, sender_id: str, seq: int = 1, **changes: Any
    ) -> tuple[MessageSent, EventId]:
        """Return a message, and the id of its event."""
        event_id = EventId(new_id())
        body = changes.pop("body", '{"text":"hello"}')
        content = self.seal(body, event_id, "message.sent", "content", conversation_id)
        fields = {
            "message_id": new_id(),
            "client_message_id": new_id(),
            "revision": seq + 1,
            "sent_at": self.clock.now(),
            "kind": "text",
            "mentions": (),
            "mention_kinds": (),
            "attachments": (),
            "reply_to_seq": None,
            "thread_seq": None,
            "forwarded_from": None,
            **changes,
        }
        event = MessageSent(
            conversation_id=conversation_id,
            sender_id=sender_id,
            seq=seq,
            content=content,
            **fields,
        )
        return event, event_id

    async def say(
        self, conversation_id: str, sender_id: str, seq: int = 1, **changes: Any
    ) -> MessageSent:
        """Somebody sent a message."""
        event, event_id = self.message(conversation_id, sender_id, seq, **changes)
        await self.take(event, event_id)
        return event

    def seal(self, text: str, *context: str) -> Any:
        """Seal a field of an event."""
        return self.sealer.seal(text, *context)

    @property
    def sent(self) -> list[NotificationSent]:
        """What was told of successes."""
        return self.bus.published_of(NotificationSent)

    @property
    def failed(self) -> list[NotificationFailed]:
        """What was told of failures."""
        return self.bus.published_of(NotificationFailed)

    def state(self, channel: str) -> list[tuple[str, str | None]]:
        """Return state and reason of each delivery of a channel, oldest first."""
        return [
            (row.state.value, row.reason)
            for _, row in sorted(self.deliveries.rows.items())
            if row.delivery.channel == channel
        ]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house whose consumers run."""
    made = House()
    async with made.bus.run_worker(worker, made.inbound):
        yield made
    await asyncio.sleep(0)
