"""The message writer, sockets, and what is told without being stored."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.crypto.sealed import Sealed
from libs.kernel import ConversationId, UserId
from services.chat.domain.message import Draft, Message


class MessageWriter(Protocol):
    """Appends messages by group commit."""

    async def submit(self, draft: Draft) -> Message:
        """Append a checked draft; return when it is durable.

        Raises:
            AppError: See `services.chat.writer.GroupCommitWriter.submit`.
        """
        ...

    def forget(self, conversation_id: ConversationId) -> None:
        """Drop what is remembered of a conversation that another path changed."""
        ...


class TransportSealer(Protocol):
    """Seals and opens the private fields of events; `libs.crypto.FieldSealer`."""

    def seal(self, text: str, *context: str) -> Sealed:
        """Seal a text, bound to its context."""
        ...

    def open(self, sealed: Sealed, *context: str) -> str:
        """Open what was sealed with the same context.

        Raises:
            DecryptError: The context differs, or the content was changed.
            KeyUnknownError: Its epoch is not on the ring.
        """
        ...


class Rooms(Protocol):
    """Sockets of this process, by room."""

    def encode(self, payload: Mapping[str, object]) -> bytes:
        """Return a payload as it is written, for several `emit`s, here or elsewhere."""
        ...

    def emit(
        self,
        rooms: tuple[str, ...],
        event: str,
        payload: Mapping[str, object] | bytes,
        *,
        except_users: Collection[UserId] = (),
    ) -> int:
        """Write an event once to every socket of some rooms; return to how many."""
        ...

    def remove_user(self, room: str, user_id: UserId) -> int:
        """Take a user's sockets out of a room; return how many they were."""
        ...

    def clear(self, room: str) -> int:
        """Take every socket out of a room; return how many they were."""
        ...

    def has(self, room: str) -> bool:
        """Tell whether a socket of this process is in the room."""
        ...


@dataclass(frozen=True)
class PresenceState:
    """What is known of a user's presence.

    Attributes:
        status: online, away or offline.
        last_seen_at: When the last device left; None: not known.
        keeps_last_seen: Whether that time is kept, or would be.
    """

    status: str
    last_seen_at: datetime | None = None
    keeps_last_seen: bool = False


class PresenceStore(Protocol):
    """Heartbeats of devices; everything in it may be lost and comes back."""

    async def beat(
        self,
        user_id: UserId,
        device: str,
        status: str,
        *,
        ttl_seconds: float,
        keeps_last_seen: bool | None = None,
    ) -> tuple[str, str]:
        """Record a heartbeat; return the user's status before and after.

        Args:
            user_id: Whose.
            device: Which of the user's.
            status: online or away.
            ttl_seconds: Without another heartbeat the device is gone then.
            keeps_last_seen: Whether the time of leaving may be kept, from now on;
                None: as before, and not at first.
        """
        ...

    async def keep_last_seen(self, user_id: UserId, *, keeps: bool) -> None:
        """Say whether the time of leaving may be kept; what is kept goes if not."""
        ...

    async def states(self, user_ids: Sequence[UserId]) -> dict[UserId, PresenceState]:
        """Return the presence of each of the users."""
        ...

    async def leave(self, user_id: UserId, device: str) -> tuple[str, str]:
        """Forget a device; return the user's status before and after."""
        ...

    async def expired(self, *, limit: int) -> list[tuple[UserId, str]]:
        """Forget silent devices; return whose status changed by it, and to what.

        Each change is returned once over all the processes.
        """
        ...


class TypingChannel(Protocol):
    """Tells every process that somebody types; never stored, may be lost."""

    async def publish(self, conversation_id: ConversationId, user_id: UserId) -> None:
        """Tell the other processes, and this one."""
        ...


class RemovalChannel(Protocol):
    """Tells every process that a member was removed, ahead of the event."""

    async def publish(
        self, conversation_id: ConversationId, user_id: UserId, revision: int
    ) -> None:
        """Tell the other processes, and this one."""
        ...


class ClientSocket(Protocol):
    """One client's WebSocket, as the Socket.IO layer sees it."""

    @property
    def client_address(self) -> str:
        """Where the client comes from, as the edge tells."""
        ...

    def send_frame(self, frame: bytes) -> None:
        """Write one text frame; a client that does not read is evicted."""
        ...

    def admit(
        self,
        on_event: Callable[[str], None],
        farewell: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        """Let the authenticated client send events.

        Args:
            on_event: Takes each: the text of a Socket.IO EVENT packet, after its
                ``42``.
            farewell: Gives the frames for a client that is cut since it does not
                read.
        """
        ...

    def close(self) -> None:
        """Close in good order, after what was written."""
        ...

    def abort(self) -> None:
        """Cut the connection at once, whatever is unsent."""
        ...
