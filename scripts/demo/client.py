"""A client of Parley as an app would be: HTTP and Socket.IO through the edge."""

import asyncio
import ssl
import time
from collections import deque
from types import TracebackType
from typing import Any, Self

import aiohttp
import socketio

ACK_SECONDS = 10
LIVE_EVENTS = (
    "conversation.created",
    "conversation.deleted",
    "conversation.member_added",
    "conversation.member_removed",
    "conversation.updated",
    "message.deleted",
    "message.edited",
    "message.sent",
    "presence.changed",
    "receipt.read",
    "resync",
    "session.revoked",
    "typing.started",
)

Json = dict[str, Any]


class ApiError(Exception):
    """The server refused; carries its problem document."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.code = problem.get("code")
        self.problem = problem


class Person:
    """Somebody with an account, a browser's worth of HTTP and perhaps a socket.

    Args:
        edge_url: Where nginx listens, for example ``http://127.0.0.1:21000``.
        email: The address to register with.
        password: At least 15 code points.
        name: Shown to others.
        ca_file: Authority of the edge's certificate; empty: those of the system.
    """

    def __init__(
        self, edge_url: str, email: str, password: str, name: str, ca_file: str = ""
    ) -> None:
        self.edge_url = edge_url
        self.email = email
        self.password = password
        self.name = name
        self.user_id = ""
        self.access_token = ""
        self.refresh_token = ""
        self.socket: socketio.AsyncClient | None = None
        self.live: deque[tuple[str, Json, float]] = deque(maxlen=100_000)
        self._arrived = asyncio.Condition()
        self._trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._session: aiohttp.ClientSession | None = None
        self._socket_session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open nothing: the session opens at its first use."""
        return self

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=30)
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=self._connector()
            )
        return self._session

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close socket and HTTP session."""
        await self.go_away()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- HTTP -----------------------------------------------------------------
    async def call(
        self, method: str, path: str, body: Json | None = None, **query: str | int
    ) -> Any:  # noqa: ANN401 - whatever JSON the route answers
        """Call ``/api/v1/<path>``; return the JSON answer.

        Raises:
            ApiError: The answer was 4xx or 5xx.
        """
        headers = {}
        if self.access_token:
            headers["Authorization"] = f"Bearer {self.access_token}"
        url = f"{self.edge_url}/api/v1/{path}"
        async with self._http.request(
            method, url, json=body, params=query, headers=headers
        ) as answer:
            content = (
                await answer.json(content_type=None) if await answer.read() else {}
            )
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's first error status
                raise ApiError(answer.status, content)
            return content

    async def put_bytes(self, upload: Json, content: bytes) -> None:
        """Send bytes to where a presigned upload says."""
        async with self._http.request(
            upload["method"], upload["url"], data=content, headers=upload["headers"]
        ) as answer:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's first error status
                raise ApiError(answer.status, {"detail": await answer.text()})

    async def fetch(self, url: str) -> bytes:
        """Get bytes from a presigned address."""
        async with self._http.get(url) as answer:
            content = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's first error status
                raise ApiError(answer.status, {"detail": "download refused"})
            return content

    def _connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(ssl=self._trust)

    # --- account --------------------------------------------------------------
    async def register(self) -> None:
        """Ask for an account; a verification mail follows."""
        await self.call(
            "POST",
            "auth/register",
            {
                "email": self.email,
                "password": self.password,
                "display_name": self.name,
            },
        )

    async def verify(self, token: str) -> None:
        """Confirm the address with the token of the mail's link and the password."""
        body = {"token": token, "password": self.password}
        await self.call("POST", "auth/verify", body)

    async def sign_in(self, device_name: str = "demo") -> None:
        """Sign in; the access token is kept for later calls."""
        answer = await self.call(
            "POST",
            "auth/login",
            {
                "email": self.email,
                "password": self.password,
                "device_name": device_name,
            },
        )
        self._keep(answer)

    async def refresh(self) -> None:
        """Rotate the refresh token and get a new access token."""
        answer = await self.call(
            "POST", "auth/refresh", {"refresh_token": self.refresh_token}
        )
        self._keep(answer)

    def _keep(self, answer: Json) -> None:
        self.access_token = answer["access_token"]
        self.refresh_token = answer["refresh_token"]
        self.user_id = answer["user_id"]

    # --- real time --------------------------------------------------------------
    async def come_online(self, *conversation_ids: str) -> Json:
        """Open the socket and subscribe; return the acknowledgement."""
        await self.go_away()
        # The library leaves its session open when a connection breaks: it gets one.
        self._socket_session = aiohttp.ClientSession(connector=self._connector())
        socket = socketio.AsyncClient(
            reconnection=False, http_session=self._socket_session
        )
        self.socket = socket
        for event in LIVE_EVENTS:
            socket.on(event, self._listener(event))
        await socket.connect(
            self.edge_url,
            auth={"token": self.access_token},
            transports=["websocket"],
            wait_timeout=ACK_SECONDS,
        )
        return await self.emit(
            "conversation.subscribe", {"conversation_ids": list(conversation_ids)}
        )

    async def go_away(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            socket, self.socket = self.socket, None
            try:
                await socket.disconnect()
                await socket.shutdown()
            finally:
                if self._socket_session is not None:
                    await self._socket_session.close()

    async def emit(self, event: str, payload: object) -> Json:
        """Send an event and return its acknowledgement."""
        if self.socket is None:
            raise ConnectionError(f"{self.name} is not online")
        answer: Json = await self.socket.call(event, payload, timeout=ACK_SECONDS)
        return answer

    async def wait_live(
        self, event: str, within_seconds: float = 10, **match: object
    ) -> tuple[Json, float]:
        """Wait for a live event whose payload has these top-level values.

        Returns:
            The payload, and the monotonic time at which it arrived.
        """

        def find() -> tuple[Json, float] | None:
            for name, payload, at in self.live:
                if name == event and all(
                    payload.get(key) == value for key, value in match.items()
                ):
                    return payload, at
            return None

        async with asyncio.timeout(within_seconds), self._arrived:
            await self._arrived.wait_for(lambda: find() is not None)
        found = find()
        if found is None:
            raise LookupError(event)
        return found

    def _listener(self, event: str) -> Any:  # noqa: ANN401 - a Socket.IO handler
        async def arrived(payload: Json | None = None) -> None:
            async with self._arrived:
                self.live.append((event, payload or {}, time.monotonic()))
                self._arrived.notify_all()

        return arrived
