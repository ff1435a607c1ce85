"""Who is there: heartbeats of devices, announced when a user's status changes."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from libs.events import EventBus
from libs.events.catalog.presence import PresenceChanged
from libs.kernel import AppError, Clock, UserId
from services.chat.domain.presence import LastSeen
from services.chat.ports import PresenceCardRepository, PresenceStore

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
        cards: Say whose time of leaving may be kept.
        clock: Gives ``changed_at``.
        grace_seconds: How long a user without a socket still counts as there.
        heartbeat_seconds: Between two heartbeats of a device; one that missed three
            is gone.
    """

    def __init__(
        self,
        bus: EventBus,
        store: PresenceStore,
        cards: PresenceCardRepository,
        clock: Clock,
        *,
        grace_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._cards = cards
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._devices: dict[str, tuple[UserId, str]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def arrive(self, user_id: UserId, device: str) -> None:
        """Record a device that connects; its user is there.

        Emits: presence.changed, if the user's status is another now.
        """
        self._devices[device] = (user_id, STATUSES[0])
        keeps = await self._keeps_last_seen(user_id)
        await self._beat(user_id, device, STATUSES[0], keeps_last_seen=keeps)

    async def say(self, user_id: UserId, device: str, status: str) -> None:
        """Record a device's status when it says so.

        Args:
            user_id: Whose device.
            device: Id of the socket.
            status: online or away.

        Emits: presence.changed, if the user's status is another now.
        """
        self._devices[device] = (user_id, status)
        await self._beat(user_id, device, status)

    async def show_last_seen(self, user_id: UserId, last_seen: LastSeen) -> None:
        """Say who may learn when the user was last seen, from now on.

        Who shows it to nobody has it forgotten, and nothing is kept any more.

        Raises:
            UnavailableError: The database is away; nothing is changed.
        """
        await self._cards.put_last_seen(user_id, last_seen)
        try:
            await self._store.keep_last_seen(
                user_id, keeps=last_seen is not LastSeen.NOBODY
            )
        except AppError as error:  # it is hidden; the next connection makes up for it
            _log.warning("last_seen_not_recorded", code=error.code)

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

    async def _keeps_last_seen(self, user_id: UserId) -> bool | None:
        """Tell whether the time of leaving may be kept; None: it is not known."""
        try:
            cards = await self._cards.get_many([user_id])
        except AppError as error:
            _log.warning("presence_card_not_read", code=error.code)
            return None
        card = cards.get(user_id)
        if card is None or card.last_seen is None:
            return None
        return card.last_seen is not LastSeen.NOBODY

    async def _beat(
        self,
        user_id: UserId,
        device: str,
        status: str,
        *,
        keeps_last_seen: bool | None = None,
    ) -> None:
        def record() -> Awaitable[tuple[str, str]]:
            return self._store.beat(
                user_id,
                device,
                status,
                ttl_seconds=3 * self._heartbeat_seconds,
                keeps_last_seen=keeps_last_seen,
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
