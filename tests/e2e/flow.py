"""A flow of messages that goes on through faults, and the checker of what must hold.

Words and rules are those of the fault tests: *acked* is a message whose sender holds a
seq; a reader's stream, after its resyncs, must hold every seq once and in order.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import socketio

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person

CONNECTION_LOST = (
    socketio.exceptions.SocketIOError,
    ConnectionError,
    TimeoutError,
    aiohttp.ClientError,
    LookupError,
)


@dataclass
class Sender:
    """Sends numbered messages and repeats each with one client id until it is acked."""

    person: Person
    conversation_id: str
    acked: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    repeats: int = 0

    async def run(self, count: int, pause_seconds: float) -> None:
        """Send ``count`` messages, one after the other."""
        for number in range(count):
            client_message_id = new_id()
            self.texts[client_message_id] = f"message number {number}"
            await self.deliver(client_message_id)
            await asyncio.sleep(pause_seconds)

    async def deliver(self, client_message_id: str) -> None:
        """Send one message until the server acknowledges it."""
        while True:
            try:
                answer = await self._send(client_message_id)
            except CONNECTION_LOST:
                answer = {}
            if "message" in answer:
                self.acked[client_message_id] = answer["message"]["seq"]
                return
            self.repeats += 1
            await asyncio.sleep(0.2)
            await reconnect(self.person, self.conversation_id)

    async def _send(self, client_message_id: str) -> dict[str, Any]:
        payload = {
            "conversation_id": self.conversation_id,
            "client_message_id": client_message_id,
            "text": self.texts[client_message_id],
        }
        async with asyncio.timeout(5):
            return await self.person.emit("message.send", payload)


@dataclass
class Reader:
    """Follows a conversation live, and by revision after each reconnect."""

    person: Person
    conversation_id: str
    revision: int = 0
    seen: dict[int, str] = field(default_factory=dict)
    wire_duplicates: int = 0
    live_count: int = 0

    async def run(self) -> None:
        """Stay connected and collect until cancelled."""
        while True:
            with contextlib.suppress(*CONNECTION_LOST, ApiError):
                if self.person.socket is None or not self.person.socket.connected:
                    await reconnect(self.person, self.conversation_id)
                    await self.sync()
                self.drain_live()
            await asyncio.sleep(0.1)

    def drain_live(self) -> None:
        """Take what arrived over the socket."""
        while self.person.live:
            event, payload, _ = self.person.live.popleft()
            if event == "message.sent" and (
                payload["conversation_id"] == self.conversation_id
            ):
                self.live_count += 1
                self.keep(payload["message"])

    async def sync(self) -> None:
        """Ask for all that changed since the last known revision."""
        while True:
            changes = await self.person.call(
                "GET",
                f"conversations/{self.conversation_id}/changes",
                since=self.revision,
            )
            for message in changes["messages"]:
                self.keep(message)
            self.revision = changes["revision"]
            if not changes.get("has_more"):
                return

    def keep(self, message: dict[str, Any]) -> None:
        """Keep one message by its seq; count what came before."""
        if message["seq"] in self.seen:
            self.wire_duplicates += 1
        self.seen[message["seq"]] = message["client_message_id"]


async def reconnect(person: Person, conversation_id: str) -> None:
    """Open the socket again, patiently; a fresh access token where it is needed."""
    try:
        await person.come_online(conversation_id)
    except CONNECTION_LOST:
        with contextlib.suppress(*CONNECTION_LOST):
            await person.go_away()
        await asyncio.sleep(0.3)


async def history(person: Person, conversation_id: str) -> list[dict[str, Any]]:
    """Read the whole conversation over REST, oldest first."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = await person.call(
            "GET", f"conversations/{conversation_id}/messages", after=after, limit=100
        )
        items = sorted(page["items"], key=lambda message: message["seq"])
        found += items
        if not items:
            return found
        after = items[-1]["seq"]


def check(
    sender: Sender, reader: Reader, stored: list[dict[str, Any]]
) -> dict[str, list[Any]]:
    """Return every broken rule with what breaks it; empty where H1-H4 and H6 hold."""
    by_client_id = Counter(message["client_message_id"] for message in stored)
    sequences = [message["seq"] for message in stored]
    seq_of = {message["client_message_id"]: message["seq"] for message in stored}
    text_of = {message["client_message_id"]: message["text"] for message in stored}
    first = sequences[0] if sequences else 1
    broken = {
        "H1 acked and lost": [key for key in sender.acked if key not in by_client_id],
        "H1 acked with another seq": [
            key for key, seq in sender.acked.items() if seq_of.get(key) != seq
        ],
        "H1 acked with another text": [
            key for key in sender.acked if text_of.get(key) != sender.texts[key]
        ],
        "H2 doubled": [key for key, count in by_client_id.items() if count > 1],
        "H3 invoked by nobody": [
            key for key in by_client_id if key not in sender.texts
        ],
        "H4 not contiguous": [
            seq for index, seq in enumerate(sequences) if seq != first + index
        ],
        "H6 not read": [seq for seq in sequences if seq not in reader.seen],
        "H6 read but not stored": [seq for seq in reader.seen if seq not in sequences],
    }
    return {rule: found for rule, found in broken.items() if found}


def findings(stack: Any, conversation_id: str) -> dict[str, int]:
    """Return what chat's own integrity check finds in a stored conversation."""
    words = ("-m", "services.chat", "verify", "--conversation", conversation_id)
    done = subprocess.run(
        [sys.executable, *words],
        env=os.environ | stack.service_environment("chat"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    counts: dict[str, int] = json.loads(done.stdout)["counts"]
    return counts
