"""The events of clients, each to its use case."""

from typing import Protocol

from libs.kernel import (
    ConversationId,
    SessionId,
    UnauthenticatedError,
)
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.ports import TypingChannel
from services.chat.service.catchup import Known
from services.chat.service.catchup_wire import caught_up_wire
from services.chat.service.conversations import Conversations, Membership
from services.chat.service.items import conversation_room
from services.chat.service.live import LiveDelivery
from services.chat.service.markers import ReadMarkers
from services.chat.service.own_core import OwnCore
from services.chat.service.own_items import own_room
from services.chat.service.wire import Wire
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Route
from services.chat.sockets.payloads import (
    CatchUpFrom,
    FollowOwn,
    ReadUpTo,
    RenewToken,
    StartTyping,
    Subscribe,
)
from services.chat.sockets.rooms import LocalRooms


class TokenClaims(Protocol):
    """What a valid access token says; `libs.chassis.AccessClaims`."""

    @property
    def user_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def session_id(self) -> str:
        """Session it belongs to."""
        ...

    @property
    def expires_at(self) -> int:
        """Seconds since 1970."""
        ...


class Admission(Protocol):
    """Checks tokens and knows how long a client may stay; `SocketGate`."""

    async def verify(self, token: str) -> TokenClaims:
        """Return the claims of a valid token of a session that is not revoked."""
        ...

    def extend(self, client: Client, expires_at: int) -> None:
        """Let a client stay until its new token expires."""
        ...


class SocketHandlers:
    """Handlers of the events that clients may send, but those about messages.

    Args:
        conversations: For subscribing.
        markers: For reading.
        live: Watches what is subscribed.
        rooms: Clients of this process.
        typing: For ``typing.start``.
        own: For ``own.subscribe`` and ``sync``.
    """

    def __init__(
        self,
        conversations: Conversations,
        markers: ReadMarkers,
        *,
        live: LiveDelivery,
        rooms: LocalRooms,
        typing: TypingChannel,
        own: OwnCore,
    ) -> None:
        self._conversations = conversations
        self._markers = markers
        self._live = live
        self._rooms = rooms
        self._typing = typing
        self._own = own

    def routes(self, admission: Admission) -> dict[str, Route]:
        """Return every event with its payload, handler and rate."""

        async def renew(client: Client, payload: RenewToken) -> Wire:
            """Let the client stay on with a newer token of the same session."""
            return await self.renew_token(client, payload, admission)

        return {
            "conversation.subscribe": Route(
                Subscribe,
                self.subscribe,
                "subscriptions",
                lambda payload: len(payload.conversation_ids),
            ),
            "conversation.unsubscribe": Route(
                Subscribe, self.unsubscribe, "subscriptions"
            ),
            "own.subscribe": Route(FollowOwn, self.follow_own, "subscriptions"),
            "receipt.read": Route(ReadUpTo, self.read),
            "sync": Route(
                CatchUpFrom,
                self.catch_up,
                "subscriptions",
                lambda payload: len(payload.conversations),
            ),
            "typing.start": Route(StartTyping, self.start_typing, "typing"),
            "token.renew": Route(RenewToken, renew),
        }

    async def subscribe(self, client: Client, payload: Subscribe) -> Wire:
        """Begin to deliver conversations live; errors are told one by one.

        Everything after the answered revision is delivered; what is between the
        client's own revision and it, the client fetches.
        """
        wanted = [ConversationId(c) for c in dict.fromkeys(payload.conversation_ids)]
        subscribed: list[Wire] = []
        errors: list[Wire] = []
        for conversation_id in wanted:
            self._live.acquire(conversation_id)
        entered: set[ConversationId] = set()
        try:
            seen = await self._conversations.get_among(client.user_id, wanted)
            for conversation_id in wanted:
                membership = seen.get(conversation_id)
                revision = self._admitted(client, conversation_id, membership)
                if membership is None or revision is None:
                    code = ConversationNotFoundError().code
                    errors.append({"conversation_id": conversation_id, "code": code})
                    continue
                if self._rooms.enter(conversation_room(conversation_id), client):
                    entered.add(conversation_id)
                subscribed.append(_subscribed(membership, revision))
        finally:
            for conversation_id in wanted:
                if conversation_id not in entered:
                    self._live.release(conversation_id)
        return {"conversations": subscribed, "errors": errors}

    def _admitted(
        self,
        client: Client,
        conversation_id: ConversationId,
        membership: Membership | None,
    ) -> int | None:
        """Return from which revision on a client is served, or None."""
        if membership is None or self._rooms.client(client.sid) is None:
            return None
        revision = membership.conversation.revision
        return self._live.admit(
            conversation_id,
            client.user_id,
            revision,
            visible_from_seq=membership.member.visible_from_seq,
        )

    async def unsubscribe(self, client: Client, payload: Subscribe) -> Wire:
        """Stop delivering conversations live."""
        for conversation_id in payload.conversation_ids:
            if self._rooms.leave(conversation_room(conversation_id), client):
                self._live.release(ConversationId(conversation_id))
        return {}

    async def catch_up(self, client: Client, payload: CatchUpFrom) -> Wire:
        """Answer what moved since the revisions that the client has."""
        known = Known(
            revisions={ConversationId(c): r for c, r in payload.conversations.items()},
            user_revision=payload.user_revision,
        )
        return caught_up_wire(await self._own.catchup.catch_up(client.user_id, known))

    async def follow_own(self, client: Client, _: FollowOwn) -> Wire:
        """Begin to deliver the user's own stream live, after the answered revision."""

        def enter() -> None:
            if self._rooms.client(client.sid) is not None:
                self._rooms.enter(own_room(client.user_id), client)

        return {"user_revision": await self._own.live.subscribe(client.user_id, enter)}

    async def read(self, client: Client, payload: ReadUpTo) -> Wire:
        """Move the read marker."""
        conversation_id = ConversationId(payload.conversation_id)
        _, read_seq = await self._markers.mark(
            client.user_id, conversation_id, payload.seq
        )
        return {"conversation_id": conversation_id, "read_seq": read_seq}

    async def start_typing(self, client: Client, payload: StartTyping) -> Wire:
        """Tell the others that the user types; only where the client subscribed.

        Membership is read: word of a removal may still be on its way to the room.
        """
        room = conversation_room(payload.conversation_id)
        if room not in client.rooms:
            raise ConversationNotFoundError
        conversation_id = ConversationId(payload.conversation_id)
        await self._conversations.require_sender(client.user_id, conversation_id)
        await self._typing.publish(conversation_id, client.user_id)
        return {}

    async def renew_token(
        self, client: Client, payload: RenewToken, admission: Admission
    ) -> Wire:
        """Let the client stay on with a newer token of the same session."""
        claims = await admission.verify(payload.token)
        session_id = SessionId(claims.session_id)
        if (claims.user_id, session_id) != (client.user_id, client.session_id):
            raise UnauthenticatedError(
                "token_mismatch", "The token belongs to another session."
            )
        admission.extend(client, claims.expires_at)
        return {"expires_at": claims.expires_at}


def _subscribed(membership: Membership, revision: int) -> Wire:
    return {
        "conversation_id": membership.conversation.conversation_id,
        "revision": revision,
        "last_seq": membership.conversation.last_seq,
        "read_seq": membership.member.read_seq,
    }
