"""A client as its authors are told to write one, that asks for random things."""

import asyncio
import contextlib
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import socketio

from libs.kernel import new_id
from tests.integration.chat.conftest import ChatProcess, Member
from tests.integration.chat.history.record import Operation, Record, Session
from tests.integration.chat.history.replica import Replica

LOST = (
    socketio.exceptions.SocketIOError,
    ConnectionError,
    TimeoutError,
    aiohttp.ClientError,
)
EMOJI = ("👍", "🎉", "👀")
_ANSWER_SECONDS = 8
_PAUSE_SECONDS = 0.2
_KNOWN = 50
_SERVER_ERROR = 500
_TRY_LATER = frozenset(
    {
        "rate_limited",
        "writer_busy",
        "conversation_busy",
        "draining",
        "slow_mode",
        "unavailable",
    }
)


@dataclass
class Wish:
    """A kind of operation and how often it is asked for."""

    kind: str
    weight: int


WISHES = (
    Wish("send", 60),
    Wish("edit", 12),
    Wish("delete", 5),
    Wish("react", 12),
    Wish("rename", 1),
    Wish("read", 8),
    Wish("leave_the_net", 2),
)


@dataclass
class Client:
    """One person's device.

    Attributes:
        replicas: Its copy of each conversation.
        known: The last messages it saw: (conversation id, message id, sender id).
    """

    member: Member
    processes: list[ChatProcess]
    conversations: list[str]
    record: Record
    chance: random.Random
    replicas: dict[str, Replica] = field(default_factory=dict)
    known: deque[tuple[str, str, str]] = field(
        default_factory=lambda: deque(maxlen=_KNOWN)
    )
    reconnects: int = 0
    _session: Session | None = None
    _held: list[dict[str, Any]] = field(default_factory=list)
    _is_syncing: bool = False

    def __post_init__(self) -> None:
        """Begin with nothing known, and hear what the socket says in its order."""
        self.replicas = {c: Replica() for c in self.conversations}
        self.member.listener = self._hear

    @property
    def name(self) -> str:
        """Who it is."""
        return str(self.member.user_id)

    async def run(self, until: asyncio.Event) -> None:
        """Ask for random things, one after the other, until told to stop."""
        while not until.is_set():
            if not self._is_connected():
                await self.connect()
            (wish,) = self.chance.choices(WISHES, [w.weight for w in WISHES])
            with contextlib.suppress(*LOST):
                await getattr(self, wish.kind)()
            await asyncio.sleep(self.chance.uniform(0, 0.15))

    async def connect(self) -> None:
        """Come online on any process, subscribe, then catch up; patiently."""
        while True:
            process = self.chance.choice(self.processes)
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._open(process)
                await self.catch_up()
            except LOST:
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self.reconnects += 1
                return

    async def catch_up(self) -> None:
        """Ask for all that changed; live events meanwhile wait their turn."""
        self._is_syncing = True
        for conversation_id in self.conversations:
            await self._catch_up(conversation_id)
        self._is_syncing = False
        for payload in self._held:
            self._take(payload)
        self._held.clear()

    async def send(self) -> None:
        """Send a message, again with the same id until it is acknowledged."""
        conversation_id = self.chance.choice(self.conversations)
        text = f"{self.name[-4:]} says {self.chance.random()}"
        operation = self.record.begin(
            self.name, "send", conversation_id, new_id(), text=text
        )
        while operation.step not in ("ok", "fail"):
            try:
                await self._send(operation)
            except LOST:
                operation.doubt()
                await self.connect()

    async def edit(self) -> None:
        """Change an own message."""
        target = self._any_known(is_own=True)
        if target:
            text = f"edited {self.chance.random()}"
            await self._change("edit", "PATCH", *target, body={"text": text}, text=text)

    async def delete(self) -> None:
        """Delete an own message."""
        target = self._any_known(is_own=True)
        if target:
            await self._change("delete", "DELETE", *target)

    async def react(self) -> None:
        """Add a reaction, or take it back."""
        target = self._any_known(is_own=False)
        if target:
            emoji = self.chance.choice(EMOJI)
            is_added = self.chance.random() < 2 / 3
            await self._change(
                "react",
                "PUT" if is_added else "DELETE",
                *target,
                below=f"/reactions/{emoji}",
                emoji=emoji,
                is_added=is_added,
            )

    async def rename(self) -> None:
        """Give a conversation another title; most may not."""
        conversation_id = self.chance.choice(self.conversations)
        title = f"Title {self.chance.random()}"
        await self._ask("PATCH", f"/{conversation_id}", {"title": title})

    async def read(self) -> None:
        """Move the read marker to what is known."""
        conversation_id = self.chance.choice(self.conversations)
        messages = self.replicas[conversation_id].messages.values()
        last = max((message["seq"] for message in messages), default=0)
        if last:
            await self._ask("PUT", f"/{conversation_id}/read", {"seq": last})

    async def leave_the_net(self) -> None:
        """Cut the connection without a word, and come back."""
        await self.member.disconnect()
        await asyncio.sleep(self.chance.uniform(0, 1))
        await self.connect()

    def _is_connected(self) -> bool:
        return self.member.socket is not None and self.member.socket.connected

    async def _open(self, process: ChatProcess) -> None:
        await self.member.disconnect()
        self._held.clear()
        self._is_syncing = True
        session = Session(self.name)
        self._session = session
        answer = await self.member.connect(process, *self.conversations)
        for place in answer["conversations"]:
            session.subscribed[place["conversation_id"]] = place["revision"]
        self.record.sessions.append(session)

    async def _catch_up(self, conversation_id: str) -> None:
        replica, has_more = self.replicas[conversation_id], True
        while has_more:
            path = f"/{conversation_id}/changes?since={replica.revision}&limit=200"
            status, changes = await self._ask("GET", path)
            if status != 200:
                raise TimeoutError(status)
            for message in changes["messages"]:
                self._note(conversation_id, message)
            replica.merge(changes)
            has_more = changes["has_more"]

    def _hear(self, event: str, payload: Any) -> None:
        self.member.live.clear()  # nobody waits for it, and a run may be long
        is_revisioned = isinstance(payload, dict) and "revision" in payload
        if self._session is None or not is_revisioned or event == "own.changed":
            return
        conversation_id = payload.get("conversation_id")
        if conversation_id not in self.replicas or event == "conversation.created":
            return
        item = (conversation_id, payload["revision"], event)
        self._session.items.append(item)
        if self._is_syncing:
            self._held.append(payload)
        else:
            self._take(payload)

    def _take(self, payload: dict[str, Any]) -> None:
        if "message" in payload:
            self._note(payload["conversation_id"], payload["message"])
        self.replicas[payload["conversation_id"]].take(payload)

    def _note(self, conversation_id: str, message: dict[str, Any]) -> None:
        if message.get("client_message_id") and message.get("sender_id"):
            known = (conversation_id, message["message_id"], message["sender_id"])
            self.known.append(known)

    async def _send(self, operation: Operation) -> None:
        answer = await self.member.send(
            operation.conversation_id, operation.wanted["text"], operation.target
        )
        error = answer.get("error")
        if error is None:
            operation.end("ok", answer["message"])
            return
        # Of this try nothing is stored; of an earlier one that says nothing.
        is_of_now = operation.was_unknown and error["code"] == "database_unavailable"
        if error.get("is_unknown"):
            operation.doubt()
        elif error["code"] in _TRY_LATER or is_of_now:
            operation.step = "info"
        else:
            operation.end("fail", error)
            return
        await asyncio.sleep(error.get("retry_after_seconds") or _PAUSE_SECONDS)

    async def _change(
        self,
        kind: str,
        method: str,
        conversation_id: str,
        message_id: str,
        *,
        body: Any = None,
        below: str = "",
        **wanted: Any,
    ) -> None:
        operation = self.record.begin(
            self.name, kind, conversation_id, message_id, **wanted
        )
        path = f"/{conversation_id}/messages/{message_id}{below}"
        try:
            status, answer = await self._ask(method, path, body)
        except LOST:
            operation.step = "info"
            raise
        if status >= _SERVER_ERROR:
            operation.end("info", answer)
        elif status >= 400:
            operation.end("fail", answer)
        else:
            operation.end("ok", answer)

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with asyncio.timeout(_ANSWER_SECONDS):
            process = self.chance.choice(self.processes)
            return await self.member.ask(process, method, path, body)

    def _any_known(self, *, is_own: bool) -> tuple[str, str] | None:
        found = [k for k in self.known if (k[2] == self.name) or not is_own]
        if not found:
            return None
        conversation_id, message_id, _ = self.chance.choice(found)
        return conversation_id, message_id
