"""A chat of memory adapters: what the unit tests stand on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import UUID

import orjson

from libs.chassis.audit import MemoryAuditTrail
from libs.crypto import FieldSealer, KeyRing
from libs.events import Worker
from libs.events.catalog import MediaProcessed, MediaUploaded
from libs.events.memory import InMemoryBus
from libs.kernel import (
    ConversationId,
    DocumentId,
    FrozenClock,
    UnavailableError,
    UserId,
    new_id,
)
from libs.kernel.rates import Limit
from services.chat.consumers import worker
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.limits import Limits
from services.chat.domain.message import Draft
from services.chat.domain.rates import Rated
from services.chat.domain.user import User
from services.chat.ports import OwnStores
from services.chat.repository.memory import (
    MemoryAttachments,
    MemoryBans,
    MemoryBookmarks,
    MemoryContacts,
    MemoryConversations,
    MemoryDrafts,
    MemoryEraser,
    MemoryInvites,
    MemoryJobs,
    MemoryMentions,
    MemoryMessages,
    MemoryPersonal,
    MemoryPresenceCards,
    MemoryScheduled,
    MemoryThreads,
    MemoryUsers,
    MemoryVersions,
)
from services.chat.service.announcements import Announcements
from services.chat.service.attachments import Attachments
from services.chat.service.bans import Bans
from services.chat.service.conversations import Conversations
from services.chat.service.deletion import Deletion
from services.chat.service.dissolution import Dissolution
from services.chat.service.draft_checks import DraftChecks
from services.chat.service.erasure import Erasure
from services.chat.service.feed import LiveFeed
from services.chat.service.forwarding import Forwarding
from services.chat.service.invites import Invites
from services.chat.service.jobs import JobRunner
from services.chat.service.live import LiveDelivery, LiveLimits
from services.chat.service.members import Members
from services.chat.service.membership import MembershipChanges
from services.chat.service.message_changes import MessageChanges
from services.chat.service.messages import Messages
from services.chat.service.openings import Openings
from services.chat.service.pins import Pins
from services.chat.service.public_channels import PublicChannels
from services.chat.service.rates import UserLimits
from services.chat.service.reactions import Reactions
from services.chat.service.recording import Recorder
from services.chat.service.removals import Removals
from services.chat.service.roles import Roles
from services.chat.service.scheduling import ScheduledSender, Scheduling
from services.chat.service.sync import Sync
from services.chat.service.system_messages import SystemMessages
from services.chat.service.threads import Threads
from services.chat.sockets.frames import encode_payload
from services.chat.writer import GroupCommitWriter, WriterLimits


def user(number: int) -> UserId:
    """Return the id of a user by a small number."""
    return UserId(str(UUID(int=number, version=4)))


LIMITS = Limits()
ADA, GRACE, MALLORY = user(1), user(2), user(3)


@dataclass
class RecordingRooms:
    """`Rooms` that remembers what was emitted where."""

    emitted: list[tuple[tuple[str, ...], str, Mapping[str, object]]] = field(
        default_factory=list
    )
    removed: list[tuple[str, UserId]] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    excepted: list[object] = field(default_factory=list)

    def encode(self, payload) -> bytes:
        """Encode, as the real ones."""
        return encode_payload(payload)

    def emit(self, rooms, event, payload, *, except_users=()) -> int:
        """Remember."""
        self.excepted.append(except_users)
        if isinstance(payload, bytes):
            payload = orjson.loads(payload)
        self.emitted.append((rooms, event, payload))
        return 1

    def remove_user(self, room: str, user_id: UserId) -> int:
        """Remember."""
        self.removed.append((room, user_id))
        return 1

    def clear(self, room: str) -> int:
        """Remember."""
        self.cleared.append(room)
        return 1

    def has(self, _room: str) -> bool:
        """Everybody is always here."""
        return True

    def revisions(self) -> list[object]:
        """Return the revisions that were emitted, in order."""
        return [payload["revision"] for _, _, payload in self.emitted]


class StubBuckets:
    """`SharedBuckets` that is away: the limits count in the process."""

    async def charge(self, charges):
        """Refuse."""
        raise UnavailableError("limits_unavailable", "Away.")


class Chat:
    """Every use case over memory adapters."""

    def __init__(self, store: MemoryConversations | None = None, **limits: int) -> None:
        self.clock = FrozenClock()
        self.bus = InMemoryBus("chat", clock=self.clock)
        self.store = store or MemoryConversations()
        self.message_store = MemoryMessages(self.store)
        self.users = MemoryUsers()
        self.draft_store = MemoryDrafts(self.store)
        self.bookmark_store = MemoryBookmarks(self.store)
        self.personal = MemoryPersonal(
            self.store, self.draft_store, self.bookmark_store
        )
        self.own_stores = OwnStores(
            self.personal,
            self.draft_store,
            self.bookmark_store,
            MemoryMentions(self.store),
        )
        self.cards = MemoryPresenceCards()
        self.contacts = MemoryContacts(self.store)
        self.sealer = FieldSealer(KeyRing.generate())
        self.rooms = RecordingRooms()
        self.writer = GroupCommitWriter(
            self.bus,
            self.store,
            self.sealer,
            self.clock,
            limits=WriterLimits(**{"lanes": 2, **limits}),
        )
        self.audit = MemoryAuditTrail()
        recorder = Recorder(self.audit)
        self.announcements = Announcements(self.sealer)
        self.system = SystemMessages(
            self.store, self.message_store, sealer=self.sealer, clock=self.clock
        )
        shared = {
            "writer": self.writer,
            "recorder": recorder,
            "clock": self.clock,
        }
        self.conversations = Conversations(
            self.bus,
            self.store,
            writer=self.writer,
            announcements=self.announcements,
            system=self.system,
            recorder=recorder,
            limits=LIMITS,
        )
        self.rates = UserLimits(
            StubBuckets(),
            self.clock,
            limits=dict.fromkeys(Rated, Limit(10, 10_000)),
            messages=Limit(10, 10_000),
        )
        self.openings = Openings(
            self.bus,
            self.store,
            self.users,
            self.conversations,
            rates=self.rates,
            announcements=self.announcements,
            limits=LIMITS,
            **shared,
        )
        self._open_messages()
        self.sync = Sync(self.store, self.message_store)
        self.live = LiveDelivery(
            self.rooms,
            self.store,
            self.sync,
            clock=self.clock,
            limits=LiveLimits(),
        )
        self.removals_told: list[tuple[ConversationId, UserId, int]] = []
        self.removals = Removals(self.live, self)
        self.bans_store = MemoryBans()
        self.changes = MembershipChanges(
            self.store,
            self.users,
            self.bans_store,
            system=self.system,
            recorder=recorder,
            clock=self.clock,
            limits=LIMITS,
        )
        moving = {"changes": self.changes, "writer": self.writer}
        self.members = Members(
            self.bus, self.store, self.users, removals=self.removals, **moving
        )
        self.roles = Roles(self.bus, self.store, recorder=recorder, **moving)
        self.bans = Bans(
            self.bus,
            self.store,
            self.users,
            self.bans_store,
            removals=self.removals,
            recorder=recorder,
            clock=self.clock,
            limits=LIMITS,
            **moving,
        )
        self.invites_store = MemoryInvites()
        self.invites = Invites(
            self.bus,
            self.store,
            self.invites_store,
            self.users,
            rates=self.rates,
            recorder=recorder,
            clock=self.clock,
            limits=LIMITS,
            **moving,
        )
        self.public_channels = PublicChannels(
            self.bus, self.store, self.bans_store, rates=self.rates, **moving
        )
        self.jobs_store = MemoryJobs()
        self.eraser = MemoryEraser(self.store, self.invites_store, self.bans_store)
        self.deletion = Deletion(
            self.bus, self.store, self.eraser, self.jobs_store, **shared
        )
        self.erasure = Erasure(
            self.bus,
            self.store,
            self.message_store,
            self.eraser,
            self.jobs_store,
            removals=self.removals,
            clock=self.clock,
            **moving,
        )
        works = (
            self.deletion,
            self.erasure,
            Dissolution(self.store, self.deletion),
        )
        self.jobs = JobRunner(self.bus, self.jobs_store, works, clock=self.clock)
        for known in (ADA, GRACE, MALLORY):
            self.users.users[known] = User(user_id=known, is_verified=True)

    def _open_messages(self) -> None:
        self.versions = MemoryVersions()
        self.threads_store = MemoryThreads(self.store)
        self.attachment_store = MemoryAttachments()
        self.scheduled_store = MemoryScheduled()
        self.attachments = Attachments(self.attachment_store, self.store)
        self.checks = DraftChecks(
            self.store, self.message_store, self.attachments, LIMITS
        )
        self.message_changes = MessageChanges(
            self.bus,
            self.store,
            self.message_store,
            self.writer,
            Recorder(self.audit),
        )
        self.messages = Messages(
            self.message_changes,
            self.store,
            self.message_store,
            self.versions,
            self.checks,
            sealer=self.sealer,
            limits=LIMITS,
            writer=self.writer,
            clock=self.clock,
        )
        self.reactions = Reactions(self.message_changes)
        self.threads = Threads(
            self.bus, self.store, self.message_store, self.threads_store
        )
        self.forwarding = Forwarding(self.message_changes, self.messages)
        self.scheduling = Scheduling(
            self.store, self.scheduled_store, clock=self.clock, limits=LIMITS
        )
        self.sender = ScheduledSender(
            self.bus, self.scheduled_store, self.messages, clock=self.clock
        )
        self.pins = Pins(
            self.message_changes,
            self.store,
            self.message_store,
            clock=self.clock,
            limits=LIMITS,
        )

    async def uploaded(self, owner: UserId, **place: str) -> DocumentId:
        """Let media tell of a document that somebody uploaded."""
        document_id = DocumentId(new_id())
        event = MediaUploaded(
            document_id=document_id,
            owner_id=owner,
            conversation_id=place.get("conversation_id"),
            project_id=place.get("project_id"),
            size_bytes=1,
        )
        await self.attachments.apply(event, session=None)
        return document_id

    async def checked(
        self, owner: UserId, content_type: str = "image/png", **place: str
    ) -> DocumentId:
        """Let media tell of a document that passed its checks."""
        document_id = DocumentId(new_id())
        event = MediaProcessed(
            document_id=document_id,
            owner_id=owner,
            conversation_id=place.get("conversation_id"),
            project_id=place.get("project_id"),
            content_type=content_type,
            size_bytes=1,
            renditions=(),
        )
        await self.attachments.apply(event, session=None)
        return document_id

    async def publish(self, conversation_id, user_id, revision: int) -> None:
        """Remember what the other processes would hear (`RemovalChannel`)."""
        self.removals_told.append((conversation_id, user_id, revision))

    @asynccontextmanager
    async def watching(self, conversation_id: ConversationId) -> AsyncIterator[None]:
        """Deliver a conversation live to `rooms` while the block runs."""
        feed = LiveFeed(self.live, self.rooms, self.store, self.sealer)
        live = Worker("chat", emits=worker.emits)
        live.live_subscriptions = [
            one for one in worker.live_subscriptions if one.name == "stream"
        ]
        stored = await self.store.get(conversation_id)
        self.live.acquire(conversation_id)
        self.live.admit(conversation_id, ADA, stored.revision)
        async with self.bus.run_worker(live, SimpleNamespace(feed=feed)):
            yield
            await self.bus.settled()

    async def group(self, *members: UserId, owner: UserId = ADA) -> ConversationId:
        """Store a group directly, without events."""
        conversation = Conversation(
            conversation_id=ConversationId(new_id()),
            kind=ConversationKind.GROUP,
            title="Group",
            project_id=None,
            created_by=owner,
            created_at=self.clock.now(),
        )
        roles = {owner: Role.OWNER} | dict.fromkeys(members, Role.MEMBER)
        rows = [
            Member(
                conversation_id=conversation.conversation_id,
                user_id=member_id,
                role=role,
                joined_at=self.clock.now(),
                revision=1,
            )
            for member_id, role in roles.items()
        ]
        await self.store.insert(conversation, rows, session=None)
        return conversation.conversation_id


def draft(
    conversation_id: ConversationId, sender: UserId = ADA, text: str = "hello", **more
) -> Draft:
    """Return a draft with a client_message_id of its own."""
    more.setdefault("client_message_id", new_id())
    return Draft(conversation_id=conversation_id, sender_id=sender, text=text, **more)
