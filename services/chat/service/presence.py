"""Who is there: heartbeats of devices, announced when a user's status changes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from libs.events import EventBus
from libs.events.catalog.presence import PresenceChanged
from libs.kernel import AppError, Clock, ConversationId, UserId
from services.chat.ports import ConversationRepository, PresenceState, PresenceStore
from services.chat.service.access import require_access

STATUSES = ("online", "away")
_SWEEP_LIMIT = 100
_log = structlog.get_logger()

Record = Callable[[], Awaitable[tuple[str, str]]]


class Presence:
    """Keeps the heartbeats of this process's devices and announces transitions.

    Without Redis presence is off and nothing else is.

    Args:
        bus: Announces, without an outbox.
        store: Heartbeats over all the processes.
        conversations: Say who is a member of what.
        clock: Gives ``changed_at``.
        grace_seconds: How long a user without a socket still counts as there.
        heartbeat_seconds: Between two heartbeats of a device; one that missed three
            is gone.
    """

    def __init__(
        self,
        bus: EventBus,
        store: PresenceStore,
        conversations: ConversationRepository,
        clock: Clock,
        *,
        grace_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._conversations = conversations
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._devices: dict[str, tuple[UserId, str]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def arrive(
        self,
        user_id: UserId,
        device: str,
        status: str,
        *,
        shows_last_seen: bool | None = None,
    ) -> None:
        """Record a device's status: when it connects and when it says so.

        Args:
            user_id: Whose device.
            device: Id of the socket.
            status: online or away.
            shows_last_seen: Whether others may learn when the user left; nothing is
                kept of those who never said so.

        Emits: presence.changed, if the user's status is another now.
        """
        self._devices[device] = (user_id, status)
        await self._beat(user_id, device, status, shows_last_seen)

    async def of_members(
        self,
        user_id: UserId,
        conversation_id: ConversationId,
        wanted: Sequence[UserId],
    ) -> dict[UserId, PresenceState]:
        """Return the presence of members, to a member; others are left out.

        Raises:
            ConversationNotFoundError: The caller is no member.
            UnavailableError: Redis is away.
        """
        await require_access(self._conversations, user_id, conversation_id)
        members = await self._conversations.members_among(conversation_id, wanted)
        return await self._store.states(sorted(members))

    def leave(self, user_id: UserId, device: str) -> None:
        """Forget a device after the grace period.

        Emits: presence.changed, if it was the user's last one.
        """
        self._devices.pop(device, None)
        task = asyncio.get_running_loop().create_task(self._leave(user_id, device))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Forget every device at once, without grace: the process stops."""
        for task in tuple(self._leaving):
            task.cancel()
        devices, self._devices = self._devices, {}
        for device, (user_id, _) in devices.items():
            await self._forget(user_id, device)

    async def run(self) -> None:
        """Send heartbeats and announce those who went silent, until cancelled."""
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            for device, (user_id, status) in list(self._devices.items()):
                if device in self._devices:
                    await self._beat(user_id, device, status)
            await self._sweep()

    async def _leave(self, user_id: UserId, device: str) -> None:
        await asyncio.sleep(self._grace_seconds)
        await self._forget(user_id, device)

    async def _beat(
        self,
        user_id: UserId,
        device: str,
        status: str,
        shows_last_seen: bool | None = None,  # noqa: FBT001 - handed on
    ) -> None:
        def record() -> Awaitable[tuple[str, str]]:
            return self._store.beat(
                user_id,
                device,
                status,
                ttl_seconds=3 * self._heartbeat_seconds,
                shows_last_seen=shows_last_seen,
            )

        await self._changed(user_id, record)

    async def _forget(self, user_id: UserId, device: str) -> None:
        await self._changed(user_id, lambda: self._store.leave(user_id, device))

    async def _sweep(self) -> None:
        try:
            silent = await self._store.expired(limit=_SWEEP_LIMIT)
        except AppError as error:
            _log.warning("presence_not_swept", code=error.code)
            return
        for silent_id, status in silent:
            await self._announce(silent_id, status)

    async def _changed(self, user_id: UserId, record: Record) -> None:
        try:
            before, after = await record()
        except AppError as error:
            _log.warning("presence_not_recorded", code=error.code)
            return
        if before != after:
            await self._announce(user_id, after)

    async def _announce(self, user_id: UserId, status: str) -> None:
        await self._bus.publish_transient(
            PresenceChanged(
                user_id=user_id, status=status, changed_at=self._clock.now()
            )
        )
