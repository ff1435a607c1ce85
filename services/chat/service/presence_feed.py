"""From presences and statuses on the wire to the sockets that may see them.

Whoever watches a conversation of the user is told. Which these are is asked for
everybody at once who changed since the last question was put: a storm of
reconnections costs a few reads, a single change is told at once.
"""

import asyncio

import structlog

from libs.crypto import DecryptError
from libs.events.catalog.presence import PresenceChanged, StatusChanged
from libs.kernel import AppError, EventId, UserId
from services.chat.domain.presence import CustomStatus, status_of_words
from services.chat.ports import ContactRepository, Rooms, TransportSealer
from services.chat.service.items import conversation_room, user_room
from services.chat.service.live import LiveDelivery
from services.chat.service.presence_views import status_wire
from services.chat.service.wire import Wire

PRESENCE_EVENT = "presence.changed"
_TOGETHER_MAX = 100
_log = structlog.get_logger()


class PresenceFeed:
    """Tells sockets what changed of users whose conversations they watch.

    What waits is merged user by user, so it is never more than one item each.

    Args:
        live: Knows what is watched here.
        rooms: Sockets of this process.
        contacts: Tell who is in what is watched.
        sealer: Opens the words of statuses.
    """

    def __init__(
        self,
        live: LiveDelivery,
        rooms: Rooms,
        contacts: ContactRepository,
        sealer: TransportSealer,
    ) -> None:
        self._live = live
        self._rooms = rooms
        self._contacts = contacts
        self._sealer = sealer
        self._waiting: dict[UserId, Wire] = {}
        self._has_waiting = asyncio.Event()

    def presence(self, event: PresenceChanged) -> None:
        """Take a presence."""
        self._offer(
            event.user_id, {"status": event.status, "changed_at": event.changed_at}
        )

    def status(self, event: StatusChanged, event_id: EventId) -> None:
        """Take a custom status; one that does not open is not told."""
        status: CustomStatus | None = None
        if event.content is not None:
            context = (event_id, event.event_type, "content", event.user_id)
            try:
                words = self._sealer.open(event.content, *context)
            except (DecryptError, AppError):
                _log.error("custom_status_unreadable", event_id=event_id)
                return
            status = status_of_words(words, event.expires_at)
        said: Wire = {
            "custom_status": status_wire(status),
            "changed_at": event.changed_at,
        }
        self._offer(event.user_id, said)

    async def run(self) -> None:
        """Tell what waits as soon as it may be told, until cancelled."""
        while True:
            await self._has_waiting.wait()
            await self.tell()

    async def tell(self) -> None:
        """Tell what waits of some users; what cannot be told now is given up."""
        users = list(self._waiting)[:_TOGETHER_MAX]
        told = {user_id: self._waiting.pop(user_id) for user_id in users}
        if not self._waiting:
            self._has_waiting.clear()
        try:
            shared = await self._contacts.places_among(users, self._live.watched)
        except AppError as error:
            _log.warning("presence_not_delivered", code=error.code)
            return
        for user_id, payload in told.items():
            rooms = map(conversation_room, shared.get(user_id, ()))
            self._rooms.emit((user_room(user_id), *rooms), PRESENCE_EVENT, payload)

    def _offer(self, user_id: str, changed: Wire) -> None:
        self._live.heard()
        if not self._live.watched and not self._rooms.has(user_room(user_id)):
            return
        known = self._waiting.get(UserId(user_id), {"user_id": user_id})
        self._waiting[UserId(user_id)] = known | changed
        self._has_waiting.set()
