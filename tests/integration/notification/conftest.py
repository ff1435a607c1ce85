"""A running notification service, and producers that stand in for auth and chat."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.crypto import FieldSealer, KeyRing
from libs.events import BusSettings, Event, EventBus
from libs.events.catalog import (
    AccountVerificationRequested,
    ConversationCreated,
    ConversationMemberRemoved,
    ConversationRead,
    MessageSent,
    PresenceChanged,
    UserVerified,
)
from libs.events.rabbitmq import open_bus
from libs.events.tracing import Cause, caused_by
from libs.kernel import EventId, new_id
from tests.support.stack import RunningStack

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Outside:
    """What auth and chat would say, sealed as they would.

    Attributes:
        seqs: Last sequence of each conversation.
    """

    auth: EventBus
    chat: EventBus
    account_sealer: FieldSealer
    message_sealer: FieldSealer
    seqs: dict[str, int] = field(default_factory=dict)

    async def verification_requested(self, email: str, locale: str = "en") -> EventId:
        """Somebody registered."""
        return await self.account(
            AccountVerificationRequested,
            {"email": email, "token": "tok-en"},
            locale=locale,
        )

    async def account(
        self, event_class: type[Event], sealed: dict[str, str], **fields: Any
    ) -> EventId:
        """Something happened to an account, or somebody was invited."""
        event_id, subject = EventId(new_id()), new_id()
        kind, names = event_class.event_type, set(event_class.__struct_fields__)
        usual = {
            "display_name": "Ada",
            "inviter_name": "Ada",
            "inviter_id": new_id(),
            "expires_at": datetime.now(UTC) + timedelta(minutes=30),
            "change": "added",
            "wrong_before": 3,
            "provider": "Acme",
            "due_at": datetime.now(UTC) + timedelta(days=14),
            "is_own": True,
        }
        secrets = {
            name: self.account_sealer.seal(text, event_id, kind, name, subject)
            for name, text in sealed.items()
        }
        known = {name: value for name, value in usual.items() if name in names}
        key = {event_class.event_key_field: subject}
        event = event_class(**known | fields | secrets | key)
        return await publish(self.auth, event, event_id)

    async def verified(self, email: str, name: str, *, user_id: str = "") -> str:
        """Somebody confirmed their address; returns the user's id."""
        event_id, user_id = EventId(new_id()), user_id or new_id()
        sealed = self.account_sealer.seal(
            email, event_id, "user.verified", "email", user_id
        )
        event = UserVerified(
            user_id=user_id, revision=2, display_name=name, locale="en", email=sealed
        )
        await publish(self.auth, event, event_id)
        return user_id

    async def present(self, user_id: str, status: str) -> None:
        """Somebody came or went."""
        event = PresenceChanged(
            user_id=user_id, status=status, changed_at=datetime.now(UTC)
        )
        await publish(self.chat, event)

    async def conversation(self, *members: str, kind: str = "direct") -> str:
        """A conversation began; returns its id."""
        conversation_id = new_id()
        event = ConversationCreated(
            conversation_id=conversation_id,
            revision=1,
            kind=kind,
            project_id=None,
            title=None,
            created_by=members[0],
            members=tuple((member, "member") for member in members),
        )
        await publish(self.chat, event)
        return conversation_id

    def sent(
        self, conversation_id: str, sender_id: str, text: str, **changes: Any
    ) -> tuple[MessageSent, EventId]:
        """Return a message that nobody published yet, and its event's id."""
        event_id = EventId(new_id())
        seq = self.seqs[conversation_id] = self.seqs.get(conversation_id, 0) + 1
        fields = {
            "conversation_id": conversation_id,
            "message_id": new_id(),
            "client_message_id": new_id(),
            "seq": seq,
            "revision": seq + 1,
            "sender_id": sender_id,
            "sent_at": datetime.now(UTC),
            "content": self.message_sealer.seal(
                f'{{"text":"{text}"}}',
                event_id,
                "message.sent",
                "content",
                conversation_id,
            ),
            "kind": "text",
            "mentions": (),
            "mention_kinds": (),
            "attachments": (),
            "reply_to_seq": None,
            "thread_seq": None,
            "forwarded_from": None,
        }
        return MessageSent(**{**fields, **changes}), event_id

    async def say(
        self, conversation_id: str, sender_id: str, text: str, **changes: Any
    ) -> MessageSent:
        """Somebody sent a message."""
        event, event_id = self.sent(conversation_id, sender_id, text, **changes)
        await publish(self.chat, event, event_id)
        return event

    async def read(self, conversation_id: str, user_id: str, read_seq: int) -> None:
        """Somebody read up to a sequence."""
        event = ConversationRead(
            conversation_id=conversation_id, user_id=user_id, read_seq=read_seq
        )
        await publish(self.chat, event)

    async def removed(self, conversation_id: str, user_id: str) -> None:
        """Somebody was removed."""
        event = ConversationMemberRemoved(
            conversation_id=conversation_id,
            revision=50,
            user_id=user_id,
            removed_by=None,
        )
        await publish(self.chat, event)


async def publish(
    bus: EventBus, event: Event, event_id: EventId | None = None
) -> EventId:
    """Publish one event through the outbox, as part of `TRACE`; return its id.

    An event that is published again has to wait until it has left the outbox.
    """
    cause = Cause("test-correlation", None, f"00-{TRACE}-00f067aa0ba902b7-01")

    async def publish_now() -> EventId | None:
        try:
            async with bus.transaction() as transaction:
                with caused_by(cause):
                    return transaction.publish(event, event_id=event_id)
        except DuplicateKeyError:
            return None

    published: EventId = await eventually(publish_now)
    return published


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    """Return what a look finds, as soon as it finds anything."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)
    return found


async def final_state(
    database: AsyncDatabase[dict[str, Any]], *, seconds: float = 15, **query: object
) -> dict[str, Any]:
    """Return a delivery once it is final."""
    wanted = {"state": {"$ne": "pending"}, **query}
    found: dict[str, Any] = await eventually(
        lambda: database["deliveries"].find_one(wanted), seconds
    )
    return found


@pytest.fixture(scope="session")
def service(stack: RunningStack) -> RunningStack:
    """The stack with notification running in it, quick to look and to mail."""
    stack.start(
        "notification",
        {"NOTIFICATION_POLL_SECONDS": "0.1", "NOTIFICATION_EMAIL_DELAY_SECONDS": "2"},
    )
    return stack


@pytest.fixture
async def outside(service: RunningStack) -> AsyncIterator[Outside]:
    """Auth and chat as far as notification can tell."""
    async with AsyncExitStack() as opened:
        buses = {}
        for name in ("auth", "chat"):
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                service.database_url(name), tz_aware=True
            )
            opened.push_async_callback(client.close)
            settings = BusSettings(
                service=name,
                instance_id=f"test-{name}",
                amqp_url=service.amqp_url(name),
            )
            buses[name] = await opened.enter_async_context(
                open_bus(settings, client[f"parley_{name}"])
            )
        environment = service.service_environment("notification")
        yield Outside(
            buses["auth"],
            buses["chat"],
            _sealer(environment["NOTIFICATION_ACCOUNT_TRANSPORT_KEYS_FILE"]),
            _sealer(environment["NOTIFICATION_MESSAGE_TRANSPORT_KEYS_FILE"]),
        )


@pytest.fixture
async def database(
    service: RunningStack,
) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """The service's own database."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        service.database_url("notification"), tz_aware=True
    )
    yield client["parley_notification"]
    await client.close()


@pytest.fixture
def address() -> str:
    """A mail address that no other test uses."""
    return f"{new_id()}@example.org"


def _sealer(path: str) -> FieldSealer:
    return FieldSealer(KeyRing.from_file(Path(path)))
