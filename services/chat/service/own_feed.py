"""From an event on the wire to its users' own streams."""

from libs.events import Event
from libs.events.catalog.conversation import (
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationRoleChanged,
)
from libs.events.catalog.personal import (
    ConversationMuted,
    OwnEvent,
    ThreadEvent,
    ThreadFollowed,
    ThreadRead,
)
from libs.kernel import UserId
from services.chat.domain.personal import Mute
from services.chat.service.own_items import mute_wire
from services.chat.service.own_live import OwnDelivery
from services.chat.service.wire import Wire


class OwnFeed:
    """Tells own streams what an event says of them, as far as it says it.

    Args:
        own: Orders and delivers per user.
    """

    def __init__(self, own: OwnDelivery) -> None:
        self._own = own

    def take(self, event: Event) -> None:
        """Deliver what an event tells of users' own streams; others are ignored."""
        match event:
            case ConversationCreated():
                self._created(event)
            case ConversationRead():
                self._changed(event, {"read_seq": event.read_seq})
            case ConversationMuted():
                mute: Wire = {"level": event.level, "until": event.until}
                self._changed(event, {"mute": mute})
            case ThreadEvent():
                self._thread(event)
            case OwnEvent():  # it does not tell everything
                self._own.offer(UserId(event.user_id), event.user_revision, None)
            case (
                ConversationMemberAdded()
                | ConversationMemberRemoved()
                | ConversationRoleChanged()
            ):
                self._own.offer(UserId(event.user_id), 0, None)
            case ConversationDeleted():  # it does not tell whose it was
                self._own.suspect()

    def _created(self, event: ConversationCreated) -> None:
        revisions = event.user_revisions or (0,) * len(event.members)
        for (user_id, role), revision in zip(event.members, revisions, strict=True):
            membership: Wire = {
                "conversation_id": event.conversation_id,
                "role": role,
                "read_seq": 0,
                "is_active": True,
                "mute": mute_wire(Mute()),
            }
            self._offer(user_id, revision, membership)

    def _changed(
        self, event: ConversationRead | ConversationMuted, changed: Wire
    ) -> None:
        membership: Wire = {"conversation_id": event.conversation_id, **changed}
        self._offer(event.user_id, event.user_revision, membership)

    def _thread(self, event: ThreadEvent) -> None:
        revision = event.user_revision
        is_following = isinstance(event, ThreadFollowed) or (
            isinstance(event, ThreadRead) and event.is_following
        )
        payload: Wire = {
            "user_revision": revision,
            "thread": {
                "conversation_id": event.conversation_id,
                "thread_seq": event.thread_seq,
                "is_following": is_following,
                "read_seq": event.read_seq,
                "user_revision": revision,
            },
        }
        self._own.offer(UserId(event.user_id), revision, payload)

    def _offer(self, user_id: str, revision: int, membership: Wire) -> None:
        payload: Wire = {
            "user_revision": revision,
            "membership": membership | {"user_revision": revision},
        }
        self._own.offer(UserId(user_id), revision, payload)
