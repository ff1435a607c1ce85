"""What clients do about presence: their own, and that of others."""

from libs.kernel import ConversationId, UserId
from services.chat.service.presence_core import PresenceCore
from services.chat.service.presence_views import status_wire, view_wire
from services.chat.service.wire import Wire
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Route
from services.chat.sockets.payloads import (
    ClearStatus,
    GetPresence,
    SetPresence,
    SetStatus,
)


class PresenceHandlers:
    """One method an event; each returns the acknowledgement.

    Args:
        presence: The use cases.
    """

    def __init__(self, presence: PresenceCore) -> None:
        self._presence = presence

    def routes(self) -> dict[str, Route]:
        """Return every event with its payload, handler and rate."""
        return {
            "presence.set": Route(SetPresence, self.set_presence),
            "presence.get": Route(
                GetPresence,
                self.get_presence,
                "subscriptions",
                lambda payload: len(payload.user_ids),
            ),
            "status.set": Route(SetStatus, self.set_status),
            "status.clear": Route(ClearStatus, self.clear_status),
        }

    async def set_presence(self, client: Client, payload: SetPresence) -> Wire:
        """Say whether the user is at the device, and who may see when they left."""
        heartbeats = self._presence.heartbeats
        if payload.last_seen is not None:
            await heartbeats.show_last_seen(client.user_id, payload.last_seen)
        await heartbeats.say(client.user_id, client.sid, payload.status)
        return {"status": payload.status}

    async def get_presence(self, client: Client, payload: GetPresence) -> Wire:
        """Answer who of a conversation's members is there; others are left out."""
        wanted = [UserId(user_id) for user_id in dict.fromkeys(payload.user_ids)]
        place = ConversationId(payload.conversation_id)
        found = await self._presence.views.of_members(client.user_id, place, wanted)
        return {"presences": [view_wire(view) for view in found]}

    async def set_status(self, client: Client, payload: SetStatus) -> Wire:
        """Say something of oneself."""
        status = await self._presence.statuses.set(
            client.user_id,
            emoji=payload.emoji,
            text=payload.text,
            expires_at=payload.expires_at,
        )
        return {"custom_status": status_wire(status)}

    async def clear_status(self, client: Client, _: ClearStatus) -> Wire:
        """Take it back."""
        await self._presence.statuses.clear(client.user_id)
        return {}
