"""Who is let in, and who has to leave: tokens, sessions, expiry, shutdown."""

import asyncio
import random
from functools import partial
from typing import Any, Protocol

import socketio
import structlog

from libs.chassis.asgi import ASGIApp
from libs.kernel import (
    AppError,
    Clock,
    ConversationId,
    SessionId,
    UnauthenticatedError,
    UserId,
)
from services.chat.ports import ClientSocket
from services.chat.service.items import user_room
from services.chat.service.live import LiveDelivery
from services.chat.service.presence import Presence
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Dispatcher
from services.chat.sockets.frames import DISCONNECT, encode_event, encode_resync
from services.chat.sockets.handlers import TokenClaims
from services.chat.sockets.rooms import LocalRooms

EXPIRY_GRACE_SECONDS = 30
_ROOM_PREFIX = "conversation:"
_KEPT = ("REQUEST_METHOD", "asgi.scope", "asgi.receive", "asgi.send")
_DRAIN_SLICE = 200
_DRAIN_PAUSE_SECONDS = 0.05
_ANSWER_SECONDS = 8.0
_log = structlog.get_logger()


class TokenVerifier(Protocol):
    """Checks access tokens; `libs.chassis.AccessTokenVerifier`."""

    async def verify(self, token: str) -> TokenClaims:
        """Return the claims of a valid token."""
        ...


class RevokedSessions(Protocol):
    """Knows the sessions that ended; `libs.chassis.SessionWatch`."""

    def is_revoked(self, session_id: str) -> bool:
        """Tell whether a session has ended."""
        ...


class SocketGate:
    """Connects python-socketio's handshake to clients of our own.

    Args:
        tokens: Checks the token of CONNECT.
        sessions: Refuses those of revoked sessions.
        rooms: Clients of this process.
        live: Released when a client leaves.
        presence: Told of arrivals and departures.
        clock: Decides on expiry.
        sockets_per_user: In this process at most.
    """

    def __init__(
        self,
        tokens: TokenVerifier,
        sessions: RevokedSessions,
        rooms: LocalRooms,
        *,
        live: LiveDelivery,
        presence: Presence,
        clock: Clock,
        sockets_per_user: int,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._rooms = rooms
        self._live = live
        self._presence = presence
        self._clock = clock
        self._sockets_per_user = sockets_per_user
        self._dispatcher: Dispatcher | None = None
        self._is_draining = False
        self._arriving: set[asyncio.Task[None]] = set()

    def app(self, dispatcher: Dispatcher, server: "socketio.AsyncServer") -> ASGIApp:
        """Attach to a Socket.IO server and return it as an ASGI app."""
        self._dispatcher = dispatcher
        server.on("connect", self._on_connect)
        server.on("disconnect", self._on_disconnect)
        app: ASGIApp = socketio.ASGIApp(server)
        return app

    async def verify(self, token: str) -> TokenClaims:
        """Return the claims of a valid token of a session that is not revoked.

        Raises:
            UnauthenticatedError: Either is not so.
            UnavailableError: The keys cannot be had.
        """
        claims = await self._tokens.verify(token)
        if self._sessions.is_revoked(claims.session_id):
            raise _refused("session_revoked", "The session has ended.")
        return claims

    def extend(self, client: Client, expires_at: int) -> None:
        """Let a client stay until its token expires, and 30 s to renew it."""
        client.expires_at = expires_at
        if client.expiry is not None:
            client.expiry.cancel()
        seconds = max(0.0, expires_at - self._clock.now().timestamp())
        loop = asyncio.get_running_loop()
        client.expiry = loop.call_later(seconds, self._expiring, client)

    def revoke(self, session_id: str, reason: str) -> None:
        """Close the sockets of a session that ended."""
        farewell = encode_event("session.revoked", {"reason": reason})
        for client in self._rooms.of_session(SessionId(session_id)):
            client.close([farewell])

    async def drain(self) -> None:
        """Answer what was taken, then send every client away in slices."""
        self._is_draining = True
        if self._dispatcher is not None:
            self._dispatcher.refuse_new()
            await self._dispatcher.drain(_ANSWER_SECONDS)
        clients = self._rooms.clients()
        for start in range(0, len(clients), _DRAIN_SLICE):
            for client in clients[start : start + _DRAIN_SLICE]:
                client.close([self._resync("shutdown", len(clients))])
            await asyncio.sleep(_DRAIN_PAUSE_SECONDS)

    def _evicted(self) -> list[bytes]:
        """Return what a client is told that left too much unread."""
        return [self._resync("slow", 1), DISCONNECT]

    def _resync(self, reason: str, clients: int) -> bytes:
        """Spread the return of many clients over up to ten seconds."""
        spread_seconds = min(10.0, 0.5 + clients / 500)
        delay = random.uniform(0.1, spread_seconds)  # noqa: S311 - jitter, no secret
        return encode_resync(reason, delay)

    async def _on_connect(
        self,
        sid: str,
        environ: dict[str, Any],
        auth: object,  # python-socketio's types
    ) -> None:
        socket: ClientSocket = environ["asgi.scope"]["socket"]
        _keep(environ)
        try:
            claims = await self._claims(auth)
        except AppError as error:
            raise socketio.exceptions.ConnectionRefusedError(
                error.message, {"code": error.code}
            ) from None
        client = self._admit(socket, sid, claims)
        task = asyncio.get_running_loop().create_task(
            self._presence.arrive(client.user_id, sid)
        )
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _on_disconnect(self, sid: str, reason: object = None) -> None:
        client = self._rooms.client(sid)
        if client is None:
            return
        _log.info(
            "socket_session_ended",
            user_id=client.user_id,
            events=client.events,
            seconds=round(self._clock.monotonic() - client.connected_at, 1),
            reason=str(reason),
        )
        watched = [room for room in client.rooms if room.startswith(_ROOM_PREFIX)]
        self._rooms.remove(client)
        if client.expiry is not None:
            client.expiry.cancel()
        for room in watched:
            self._live.release(ConversationId(room.removeprefix(_ROOM_PREFIX)))
        self._presence.leave(client.user_id, sid)

    async def _claims(self, auth: object) -> TokenClaims:
        if self._is_draining:
            raise _refused("draining", "This server is stopping; connect again.")
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or len(auth) != 1:  # type: ignore[arg-type]  # it is a dict
            raise _refused("token_missing", "CONNECT needs {token}.")
        claims = await self.verify(token)
        if self._rooms.count_of(UserId(claims.user_id)) >= self._sockets_per_user:
            raise _refused("too_many_sockets", "The user has too many sockets.")
        return claims

    def _admit(self, socket: ClientSocket, sid: str, claims: TokenClaims) -> Client:
        dispatcher = self._dispatcher
        if dispatcher is None:
            raise RuntimeError("the gate is not attached")
        client = Client(
            socket,
            sid,
            UserId(claims.user_id),
            SessionId(claims.session_id),
            violations=dispatcher.rates.violations,
        )
        client.connected_at = self._clock.monotonic()
        self._rooms.add(client)
        self._rooms.enter(user_room(client.user_id), client)
        self.extend(client, claims.expires_at)
        socket.admit(partial(dispatcher.on_event, client), self._evicted)
        if self._sessions.is_revoked(client.session_id):  # meanwhile
            self.revoke(client.session_id, "revoked")
        return client

    def _expiring(self, client: Client) -> None:
        """Ask for a new token; without one the socket is closed."""
        client.emit("token.expiring", {"renew_within_seconds": EXPIRY_GRACE_SECONDS})
        loop = asyncio.get_running_loop()
        farewell = encode_event("session.revoked", {"reason": "expired"})
        client.expiry = loop.call_later(EXPIRY_GRACE_SECONDS, client.close, [farewell])


def _keep(environ: dict[str, Any]) -> None:
    """Forget the handshake but for what ends the connection: it is 8 kB a socket."""
    kept = {name: environ[name] for name in _KEPT}
    environ.clear()
    environ.update(kept)


def _refused(code: str, message: str) -> AppError:
    return UnauthenticatedError(code, message)
