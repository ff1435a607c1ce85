"""Chat's real HTTP app and socket dispatcher over memory adapters, and its doors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

from libs.chassis.app import create_http_app
from libs.chassis.audit import Refusals
from libs.chassis.exports import ExportResponse
from libs.chassis.health import Health
from libs.chassis.security import Principal
from libs.chassis.settings import ServiceSettings
from libs.kernel import ConversationId, SessionId, SystemClock, UserId
from services.chat import api
from services.chat.api import ChatState
from services.chat.ports import PresenceState
from services.chat.service.core import build_core
from services.chat.service.items import conversation_room
from services.chat.service.live import LiveLimits
from services.chat.service.outside import CoreLimits, Outside, Records
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Dispatcher, EventRates
from services.chat.sockets.handlers import SocketHandlers
from services.chat.sockets.message_handlers import MessageHandlers
from services.chat.sockets.presence_handlers import PresenceHandlers
from services.chat.sockets.rooms import LocalRooms
from tests.support.asgi import AsgiClient, InternalCallers
from tests.unit.chat.support import LIMITS, Chat

FAST = (10_000.0, 10_000)


class Settings(ServiceSettings):
    """Chat's, without what the memory adapters need none of."""

    model_config = SettingsConfigDict(env_prefix="CHAT_")


class StubPresence:
    """`PresenceStore` that knows nobody."""

    async def beat(self, *_args, **_more) -> tuple[str, str]:
        """Change nothing."""
        return "online", "online"

    leave = keep_last_seen = beat

    async def states(self, user_ids) -> dict[UserId, PresenceState]:
        """Say that everybody is away from home."""
        return {user_id: PresenceState("offline") for user_id in user_ids}

    async def expired(self, *, limit: int) -> list[tuple[UserId, str]]:
        """Find nobody."""
        del limit
        return []


class StubTyping:
    """`TypingChannel` that nobody hears."""

    async def publish(self, *_args) -> None:
        """Tell nobody."""


class RecordingSocket:
    """`ClientSocket` that keeps what was written."""

    client_address = "-"

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_frame(self, frame: bytes) -> None:
        """Keep a frame."""
        self.frames.append(frame)

    def close(self) -> None:
        """Stay."""


@dataclass
class Outcome:
    """What came of one operation.

    Attributes:
        code: Of the error; None where it succeeded.
        body: Of the answer, without what differs from one request to the next.
    """

    status: int
    code: str | None
    body: Any


class MatrixApp:
    """The doors of one chat, for anybody."""

    def __init__(self, chat: Chat, client: AsgiClient, callers, core, rooms) -> None:
        self.chat = chat
        self.core = core
        self._client = client
        self._callers = callers
        self._rooms = rooms
        self._headers: dict[UserId, dict[str, str]] = {}
        handlers = SocketHandlers(
            core.membership.conversations,
            core.markers,
            live=core.live,
            rooms=rooms,
            typing=StubTyping(),
            own=core.own,
        )
        rates = EventRates(FAST, FAST, FAST, FAST, FAST)
        self.routes = (
            handlers.routes(self)
            | MessageHandlers(core.talk).routes()
            | PresenceHandlers(core.presence).routes()
        )
        self._dispatcher = Dispatcher(
            self.routes, rates, chat.clock, Refusals(chat.audit, chat.clock)
        )

    async def http(
        self, user_id: UserId, method: str, path: str, body: object = None
    ) -> Outcome:
        """Ask over HTTP, with the internal token of a user."""
        if user_id not in self._headers:
            principal = Principal(
                user_id=user_id,
                session_id=f"s{user_id}",
                authenticated_at=int(SystemClock().now().timestamp()),
            )
            self._headers[user_id] = self._callers.headers("chat", principal)
        answer = await self._client.request(
            method, path, json_body=body, headers=self._headers[user_id]
        )
        shown = _shown(answer)
        if answer.status < 400:
            return Outcome(answer.status, None, shown)
        shown.pop("trace_id", None)
        return Outcome(answer.status, shown["code"], shown)

    async def socket(self, user_id: UserId, event: str, payload: object) -> Outcome:
        """Ask over a socket that once subscribed to whatever it asks about."""
        socket = RecordingSocket()
        client = Client(
            socket, f"sid{user_id}", user_id, SessionId("s"), violations=9_999
        )
        self._rooms.add(client)
        place = payload.get("conversation_id")
        if place is not None:
            self._rooms.enter(conversation_room(place), client)
        self._dispatcher.on_event(client, f"1{json.dumps([event, payload])}")
        await self._dispatcher.drain()
        self._rooms.remove(client)
        answer = next(f for f in socket.frames if f.startswith(b"431"))
        (result,) = msgspec.json.decode(answer[3:])
        return _outcome(result)


def _outcome(result: dict[str, Any]) -> Outcome:
    """Return what an acknowledgement says; a subscription tells of each id."""
    errors = result.get("errors") or ([result["error"]] if "error" in result else [])
    if not errors:
        return Outcome(200, None, result)
    error = {k: v for k, v in errors[0].items() if k != "conversation_id"}
    return Outcome(400, error["code"], error)


class MatrixRoutes:
    """The routes, built once for all tests: FastAPI takes a tenth of a second.

    Attributes:
        app: What serves them; its lifespan yields `state`.
        callers: Keys of who may call.
        state: Use cases of the test that runs.
    """

    def __init__(self, folder: Path) -> None:
        self.state: ChatState | None = None
        self.callers = InternalCallers(folder)
        settings = Settings(
            port=23599,
            public_url="http://localhost:23500",
            internal_jwks_file=self.callers.jwks_file,
            data_dir=folder,
            environment="test",
        )
        self.app = create_http_app(
            settings,
            lifespan=self._opened,
            routers=api.ROUTERS,
            title="chat",
            health=Health(),
        )

    @asynccontextmanager
    async def _opened(self, _: FastAPI) -> AsyncIterator[ChatState | None]:
        yield self.state


@asynccontextmanager
async def matrix_app(routes: MatrixRoutes) -> AsyncIterator[MatrixApp]:
    """Open the app over a chat of its own; its writer runs."""
    chat, rooms = Chat(), LocalRooms()
    core = build_core(_outside(chat, rooms), _limits(chat))
    routes.state = ChatState(
        membership=core.membership,
        talk=core.talk,
        sync=core.sync,
        markers=core.markers,
        own=core.own,
        presence=core.presence,
        refusals=Refusals(chat.audit, chat.clock),
    )
    async with AsgiClient(routes.app) as client, chat.writer.running():
        yield MatrixApp(chat, client, routes.callers, core, rooms)


def _outside(chat: Chat, rooms: LocalRooms) -> Outside:
    return Outside(
        bus=chat.bus,
        conversations=chat.store,
        messages=chat.message_store,
        users=chat.users,
        own=chat.own_stores,
        records=Records(
            chat.bans_store,
            chat.invites_store,
            chat.jobs_store,
            chat.eraser,
            chat.versions,
            chat.threads_store,
            chat.attachment_store,
            chat.scheduled_store,
            chat.cards,
            chat.contacts,
        ),
        buckets=chat.rates._shared,
        writer=chat.writer,
        presence=StubPresence(),
        rooms=rooms,
        removals=chat,
        sealer=chat.sealer,
        audit=chat.audit,
        clock=chat.clock,
    )


def _limits(chat: Chat) -> CoreLimits:
    return CoreLimits(
        conversation=LIMITS,
        rates=chat.rates._limits,
        messages=chat.rates._messages,
        live=LiveLimits(),
        presence_grace_seconds=0,
        presence_heartbeat_seconds=1,
    )


def place_path(name: str, conversation_id: ConversationId, **ids: str) -> str:
    """Fill in the path of an operation's name."""
    path = name.partition(" ")[2].replace("{conversation_id}", conversation_id)
    for key, value in ids.items():
        path = path.replace(f"{{{key}}}", value)
    return path


def _shown(answer) -> object:
    """Return what an answer says; of an export all but whose and when."""
    if answer.header("content-type") == ExportResponse.media_type:
        return [json.loads(line) for line in answer.body.splitlines()[1:]]
    return answer.json() if answer.body else None
