"""Live delivery: events from the exchanges to the sockets of this process.

Per watched conversation revisions come out in order and once. A hole is held a
moment, then filled from the database; while the live queue is away, the revisions
of watched conversations are polled. Source: DESIGN.md section 4.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from libs.kernel import AppError, Clock, ConversationId, UserId
from services.chat.domain.conversation import Conversation, Member
from services.chat.domain.message import Message
from services.chat.ports import Changes, ConversationRepository, Rooms
from services.chat.service.revisions import RevisionBuffer
from services.chat.service.sync import Sync
from services.chat.service.wire import (
    Wire,
    conversation_wire,
    member_wire,
    message_event,
)

_log = structlog.get_logger()
_FILLED = Counter("chat_live_filled_holes", "Holes filled from the database")
_FILL_LIMIT = 500
_POLL_CHUNK = 1_000


def conversation_room(conversation_id: str) -> str:
    """Name the room of those who watch a conversation."""
    return f"conversation:{conversation_id}"


def user_room(user_id: str) -> str:
    """Name the room of a user's own sockets."""
    return f"user:{user_id}"


@dataclass(frozen=True)
class LiveLimits:
    """How patient live delivery is.

    Attributes:
        patience_seconds: How long a hole is waited for.
        held: Events held before a hole is filled at once.
        poll_seconds: Between two polls while the live queue is away.
    """

    patience_seconds: float = 0.2
    held: int = 64
    poll_seconds: float = 1.0


@dataclass(frozen=True)
class LiveItem:
    """What goes to a room at one revision.

    Attributes:
        removed_id: Who leaves the room right after it.
        extra_rooms: Users' own rooms that are told too.
    """

    event: str
    payload: Wire
    removed_id: UserId | None = None
    extra_rooms: tuple[str, ...] = ()


@dataclass
class Watch:
    """A conversation that a local socket is in, or is about to be in.

    Attributes:
        buffer: None until the first subscriber has read the revision.
        watchers: Sockets in the room and subscriptions under way.
        early: What came in before the buffer was there.
        removed_at: Revision of the last removal of each user, while it is watched.
    """

    watchers: int = 0
    buffer: RevisionBuffer[LiveItem] | None = None
    early: list[tuple[int, LiveItem]] = field(default_factory=list)
    removed_at: dict[UserId, int] = field(default_factory=dict)


class LiveDelivery:
    """Orders what arrives and writes it to the rooms.

    Args:
        rooms: Sockets of this process.
        conversations: For polling and filling.
        sync: Reads what changed.
        clock: Measures patience.
        limits: See `LiveLimits`.
    """

    def __init__(
        self,
        rooms: Rooms,
        conversations: ConversationRepository,
        sync: Sync,
        *,
        clock: Clock,
        limits: LiveLimits,
    ) -> None:
        self._rooms = rooms
        self._conversations = conversations
        self._sync = sync
        self._clock = clock
        self._is_live = False
        self._has_missed = True
        self._limits = limits
        self._watches: dict[ConversationId, Watch] = {}
        self._holes: set[ConversationId] = set()
        self._has_holes = asyncio.Event()

    def is_watched(self, conversation_id: str) -> bool:
        """Tell whether anybody here listens, so that opening content is worth it."""
        return conversation_id in self._watches

    def watched_among(self, conversation_ids: Iterable[str]) -> list[ConversationId]:
        """Return those of the conversations that somebody here listens to."""
        return [ConversationId(c) for c in conversation_ids if c in self._watches]

    @property
    def watched(self) -> list[ConversationId]:
        """Every conversation that somebody here listens to."""
        return list(self._watches)

    def acquire(self, conversation_id: ConversationId) -> Watch:
        """Begin to watch, before the membership of the subscriber is read."""
        watch = self._watches.setdefault(conversation_id, Watch())
        watch.watchers += 1
        return watch

    def release(self, conversation_id: ConversationId) -> None:
        """End what `acquire` began, when the socket leaves or was not let in."""
        watch = self._watches.get(conversation_id)
        if watch is None:
            return
        watch.watchers -= 1
        if watch.watchers <= 0:
            del self._watches[conversation_id]
            self._holes.discard(conversation_id)

    def admit(
        self, conversation_id: ConversationId, user_id: UserId, revision: int
    ) -> int | None:
        """Decide on a subscriber whose membership was read at a revision.

        To be followed by entering the room with no await in between.

        Returns:
            The revision from which on everything is delivered live, or None: the
            user was removed after the read.
        """
        watch = self._watches[conversation_id]
        if watch.removed_at.get(user_id, 0) > revision:
            return None
        if watch.buffer is None:
            watch.buffer = RevisionBuffer(revision, limit=self._limits.held)
            early, watch.early = watch.early, []
            for early_revision, item in early:
                self.offer(conversation_id, early_revision, item)
        return max(revision, watch.buffer.delivered)

    def offer(
        self, conversation_id: ConversationId, revision: int, item: LiveItem
    ) -> None:
        """Take an event; deliver it, hold it, or drop it."""
        watch = self._watches.get(conversation_id)
        if watch is None:
            return
        if watch.buffer is None:
            watch.early.append((revision, item))
            return
        now = self._clock.monotonic()
        for ready in watch.buffer.offer(revision, item, now):
            self._deliver(conversation_id, watch, ready)
        if watch.buffer.has_hole:
            self._holes.add(conversation_id)
            self._has_holes.set()

    async def fill_holes(self) -> None:
        """Fill the holes that waited long enough, until cancelled."""
        while True:
            await self._has_holes.wait()
            await asyncio.sleep(self._limits.patience_seconds / 4)
            await self.fill_overdue()
            if not self._holes:
                self._has_holes.clear()

    async def fill_overdue(self) -> None:
        """Fill every hole that is overdue now."""
        for conversation_id in list(self._holes):
            watch = self._watches.get(conversation_id)
            if watch is None or watch.buffer is None or not watch.buffer.has_hole:
                self._holes.discard(conversation_id)
            elif watch.buffer.is_overdue(
                self._clock.monotonic(), self._limits.patience_seconds
            ):
                await self._fill_safely(conversation_id)

    def live_changed(self, is_live: bool) -> None:  # noqa: FBT001 - a callback's argument
        """Hear that the live queue lost its consumer, or has a new one.

        What passed in between was not seen: one more poll tells.
        """
        self._is_live = is_live
        self._has_missed = True

    async def poll(self) -> None:
        """Poll while the live queue is away, and once after it is back."""
        while True:
            await asyncio.sleep(self._limits.poll_seconds)
            if not self._is_live or self._has_missed:
                self._has_missed = False
                await self.poll_once()

    async def poll_once(self) -> None:
        """Compare revisions with the database and fill what is behind."""
        watched = list(self._watches)
        for start in range(0, len(watched), _POLL_CHUNK):
            try:
                found = await self._conversations.revisions(
                    watched[start : start + _POLL_CHUNK]
                )
            except AppError as error:
                _log.warning("live_poll_failed", code=error.code)
                return
            for conversation_id, revision in found.items():
                watch = self._watches.get(conversation_id)
                if watch and watch.buffer and watch.buffer.delivered < revision:
                    await self._fill_safely(conversation_id)

    async def _fill_safely(self, conversation_id: ConversationId) -> None:
        try:
            await self._fill(conversation_id)
        except AppError as error:
            _log.warning("live_fill_failed", code=error.code)

    async def _fill(self, conversation_id: ConversationId) -> None:
        """Deliver the current state of what changed after the last delivered one."""
        conversation = await self._conversations.get(conversation_id)
        has_more = conversation is not None
        while has_more and conversation is not None:
            watch = self._watches.get(conversation_id)
            if watch is None or watch.buffer is None:
                return
            changes = await self._sync.changes_of(
                conversation, since=watch.buffer.delivered, limit=_FILL_LIMIT
            )
            self._deliver_changes(conversation, watch, changes)
            has_more = changes.has_more
        _FILLED.inc()

    def _deliver_changes(
        self, conversation: Conversation, watch: Watch, changes: Changes
    ) -> None:
        if watch.buffer is None:
            return
        delivered = watch.buffer.delivered  # may have moved while we were reading
        conversation_id = conversation.conversation_id
        for revision, item in _items_of(conversation_id, changes):
            if revision > delivered:
                self._deliver(conversation_id, watch, item)
        now = self._clock.monotonic()
        for ready in watch.buffer.advance(changes.revision, now):
            self._deliver(conversation_id, watch, ready)

    def _deliver(
        self, conversation_id: ConversationId, watch: Watch, item: LiveItem
    ) -> None:
        room = conversation_room(conversation_id)
        self._rooms.emit((room, *item.extra_rooms), item.event, item.payload)
        if item.removed_id is not None:
            revision = item.payload["revision"]
            if isinstance(revision, int):
                watch.removed_at[item.removed_id] = revision
            for _ in range(self._rooms.remove_user(room, item.removed_id)):
                self.release(conversation_id)


def _items_of(
    conversation_id: ConversationId, changes: Changes
) -> list[tuple[int, LiveItem]]:
    """Turn stored state into what live events would have said, by revision."""
    items = [(m.revision, _message_item(m)) for m in changes.messages]
    items += [(m.revision, member_item(m, m.revision)) for m in changes.members]
    if changes.conversation is not None:
        revision = changes.conversation.changed_revision
        payload: Wire = {
            "conversation_id": conversation_id,
            "revision": revision,
            "conversation": conversation_wire(changes.conversation),
        }
        items.append((revision, LiveItem("conversation.updated", payload)))
    return sorted(items, key=lambda pair: pair[0])


def _message_item(message: Message) -> LiveItem:
    event = "message.sent"
    if message.is_deleted:
        event = "message.deleted"
    elif message.edited_at is not None:
        event = "message.edited"
    return LiveItem(event, message_event(message))


def member_item(member: Member, revision: int) -> LiveItem:
    """Return what a change of membership looks like live."""
    event = "member_added" if member.is_active else "member_removed"
    payload: Wire = {
        "conversation_id": member.conversation_id,
        "revision": revision,
        "member": member_wire(member),
    }
    return LiveItem(
        f"conversation.{event}",
        payload,
        removed_id=None if member.is_active else member.user_id,
        extra_rooms=(user_room(member.user_id),),
    )
