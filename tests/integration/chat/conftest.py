"""Two chat processes on the real servers of the test stack."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from deploy.embedded.keys import internal_file
from libs.chassis.mongo import open_mongo
from libs.chassis.security import InternalTokenSigner, Principal
from libs.chassis.settings import load_settings
from libs.chassis.tokens import sign_token
from libs.crypto import FieldSealer, KeyRing, SigningKeys
from libs.events import BusSettings
from libs.events.catalog import UserVerified
from libs.events.rabbitmq import open_bus
from libs.kernel import UserId, new_id
from services.auth.settings import AuthSettings
from services.chat.settings import ChatSettings

FIRST_OFFSET = 45
START_SECONDS = 90
GENEROUS = {
    "CHAT_SOCKET_EVENTS_PER_SECOND": "100000",
    "CHAT_SOCKET_EVENTS_BURST": "100000",
    "CHAT_SOCKET_MESSAGES_PER_SECOND": "100000",
    "CHAT_SOCKET_MESSAGES_BURST": "100000",
    "CHAT_MESSAGES_PER_USER_PER_SECOND": "100000",
    "CHAT_MESSAGES_PER_USER_BURST": "100000",
    "CHAT_SOCKET_AUTHENTICATE_SECONDS": "1",
}


class ChatProcess:
    """A process of the service; every one is ended by its own pid."""

    def __init__(self, stack, number: int) -> None:
        self.http_port = stack.stack.base + FIRST_OFFSET + 2 * number
        self.socket_port = self.http_port + 1
        folder = Path(stack.root) / "chat-test" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "chat.jsonl"
        self._environment = {
            **os.environ,
            **{k: str(v) for k, v in stack.service_environment("chat").items()},
            **GENEROUS,
            "CHAT_PORT": str(self.http_port),
            "CHAT_SOCKET_PORT": str(self.socket_port),
            "CHAT_INSTANCE_ID": f"test-{number}",
            "CHAT_LOG_FILE": str(self.log),
            "CHAT_DATA_DIR": str(folder),
            "CHAT_ALLOWED_ORIGINS": "https://parley.example",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the HTTP listener."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def socket_url(self) -> str:
        """Address of the WebSocket listener."""
        return f"http://127.0.0.1:{self.socket_port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether the process that was started is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.chat"], env=self._environment
        )
        limit = time.monotonic() + START_SECONDS
        while (lacking := self._lacking()) is not None:
            assert self._process.poll() is None, "chat ended"
            assert time.monotonic() < limit, f"chat did not come up: {lacking}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without any warning."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """End it in good order; return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(timeout=30)

    def _lacking(self) -> str | None:
        """Return what it says that it waits for; None: it is ready."""
        try:
            url = f"{self.url}/health/ready"
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own process
                return None
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            return str(error)


@dataclass
class Member:
    """A person with a session, over REST as the gateway would, and over sockets."""

    user_id: UserId
    gateway: InternalTokenSigner
    signing: Any
    issuer: str
    session_id: str = field(default_factory=new_id)
    live: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    socket: socketio.AsyncClient | None = None
    session: aiohttp.ClientSession | None = None
    listener: Callable[[str, Any], None] | None = None

    def token(self, seconds: float = 300, **claims: object) -> str:
        """Return an access token as auth would sign it."""
        now = int(time.time())
        body = {
            "iss": self.issuer,
            "aud": "parley",
            "sub": self.user_id,
            "sid": self.session_id,
            "jti": new_id(),
            "iat": now,
            "exp": now + int(seconds),
            "roles": ["member"],
        }
        return sign_token(self.signing, body | claims, typ="at+jwt")

    async def ask(
        self, process: ChatProcess, method: str, path: str, body: Any = None
    ) -> tuple[int, Any]:
        """Return status and body of a request; paths are below the conversations'."""
        principal = Principal(self.user_id, self.session_id)
        token = self.gateway.token("chat", principal)
        below = "" if path.startswith("/api/") else "/api/v1/conversations"
        url = f"{process.url}{below}{path}"
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, json=body, headers=headers) as answer,
        ):
            content = (
                await answer.json(content_type=None) if answer.status != 204 else {}
            )
            return answer.status, content

    async def connect(self, process: ChatProcess, *conversations: str) -> Any:
        """Open a socket and subscribe; return the acknowledgement."""
        await self.disconnect()
        self.session = aiohttp.ClientSession()  # the library leaves its own open
        socket = socketio.AsyncClient(reconnection=False, http_session=self.session)
        socket.on("*", self._hear)
        try:
            await socket.connect(
                process.socket_url,
                auth={"token": self.token()},
                transports=["websocket"],
            )
        except TypeError as error:  # the library takes a close code for a packet
            raise ConnectionError("closed before it was open") from error
        self.socket = socket
        if not conversations:
            return None
        return await self.emit(
            "conversation.subscribe", {"conversation_ids": list(conversations)}
        )

    async def emit(self, event: str, payload: Any) -> Any:
        """Send an event; return its acknowledgement."""
        return await self.socket.call(event, payload, timeout=15)

    async def send(
        self, conversation_id: str, text: str, key: str = "", **more: Any
    ) -> Any:
        """Send a message over the socket."""
        payload = {
            "conversation_id": conversation_id,
            "client_message_id": key or new_id(),
            "text": text,
            **more,
        }
        return await self.emit("message.send", payload)

    async def until(self, event: str, count: int = 1, seconds: float = 10) -> list[Any]:
        """Wait for so many events of a name."""
        async with asyncio.timeout(seconds):
            while len(self.live[event]) < count:  # noqa: ASYNC110 - many events
                await asyncio.sleep(0.01)
        return self.live[event]

    async def statuses_of(self, other: "Member", count: int) -> list[str]:
        """Wait for so many presences of another; one's own may come too."""
        async with asyncio.timeout(10):
            while True:
                states = self.live["presence.changed"]
                found = [s["status"] for s in states if s["user_id"] == other.user_id]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)

    async def disconnect(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            await self.socket.disconnect()
            await self.socket.shutdown()
            self.socket = None
        if self.session is not None:
            await self.session.close()
            self.session = None

    async def _hear(self, event: str, payload: Any = None) -> None:
        self.live[event].append(payload)
        if self.listener is not None:
            self.listener(event, payload)


@pytest.fixture(scope="session")
def auth_process(stack):
    """The stack with auth: its public keys are what chat checks tokens with."""
    stack.start("auth")
    return stack


@pytest.fixture(scope="session")
def processes(auth_process):
    """Two chat processes on one database."""
    started = [ChatProcess(auth_process, number) for number in range(2)]
    for process in started:
        process.start()
    yield started
    for process in started:
        process.stop()


@pytest.fixture
def settings(stack, monkeypatch) -> ChatSettings:
    """Settings of a chat process of the test stack."""
    return load(stack, monkeypatch, "chat", ChatSettings)


@pytest.fixture
async def auth_bus(stack, monkeypatch):
    """The bus of auth, to say what auth would say."""
    auth = load(stack, monkeypatch, "auth", AuthSettings)
    bus_settings = BusSettings(
        service="auth",
        instance_id="chat-test",
        amqp_url=auth.amqp_url.get_secret_value(),
    )
    async with open_mongo(auth) as database, contextlib.AsyncExitStack() as opened:
        yield await opened.enter_async_context(open_bus(bus_settings, database))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):  # leaving must not hold up the tests
                await opened.aclose()


@pytest.fixture
async def people(stack, processes, auth_bus, settings):
    """Make people whom chat knows as active; their sockets are closed at the end."""
    environment = stack.service_environment("auth")
    signing = SigningKeys.from_file(Path(environment["AUTH_SIGNING_KEYS_FILE"]))
    gateway = InternalTokenSigner(internal_file(stack.stack, "gateway"), "gateway")
    sealer = FieldSealer(KeyRing.generate())
    made: list[Member] = []

    async def make(count: int) -> list[Member]:
        users = [UserId(new_id()) for _ in range(count)]
        async with auth_bus.transaction() as transaction:
            for user_id in users:
                transaction.publish(
                    UserVerified(
                        user_id=user_id,
                        revision=2,
                        display_name="Ann",
                        locale="en",
                        email=sealer.seal("x", "test"),
                    )
                )
        async with open_mongo(settings) as database, asyncio.timeout(10):
            known = {"_id": {"$in": users}, "is_verified": True}
            while await database["users"].count_documents(known) < count:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.02)
        new = [
            Member(user_id, gateway, signing.current, settings.issuer)
            for user_id in users
        ]
        made.extend(new)
        return new

    yield make
    for member in made:
        await member.disconnect()


@pytest.fixture
def open_group(processes):
    """Open a group of people over REST; the first one owns it."""

    async def make(members: list[Member], title: str = "Group") -> str:
        body = {
            "kind": "group",
            "title": title,
            "member_ids": [member.user_id for member in members[1:]],
        }
        status, group = await members[0].ask(processes[0], "POST", "", body)
        assert status == 201, group
        return str(group["conversation_id"])

    return make


def load(stack, monkeypatch, service: str, cls):
    """Load a service's settings as its process would."""
    for name, value in stack.service_environment(service).items():
        monkeypatch.setenv(name, str(value))
    return load_settings(cls)
