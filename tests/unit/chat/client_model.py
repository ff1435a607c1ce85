"""A client as the protocol tells authors to write one, over real handlers."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

from libs.kernel import AppError, SessionId
from services.chat.sockets.client import Client
from services.chat.sockets.frames import encode_ack
from services.chat.sockets.handlers import SocketHandlers
from services.chat.sockets.rooms import LocalRooms

KINDS = ("membership", "draft", "bookmark", "thread")


class Inbox:
    """`ClientSocket` whose frames wait until the client looks."""

    client_address = "-"

    def __init__(self) -> None:
        self.frames: list[tuple[str, dict]] = []

    def send_frame(self, frame: bytes) -> None:
        """Keep an event, as JSON makes it."""
        name, payload = json.loads(frame[2:])
        self.frames.append((name, payload))

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Place:
    """What a client has of one conversation."""

    revision: int = 0
    messages: dict[str, dict] = field(default_factory=dict)
    members: dict[str, dict] = field(default_factory=dict)


class ModelClient:
    """Subscribes, then catches up; what comes live meanwhile waits.

    Attributes:
        places: Conversations by id.
        memberships: Its user's own, as are drafts, bookmarks and threads.
        answered: Seq of its user's last answer in each thread.
    """

    def __init__(self, user_id, handlers: SocketHandlers, rooms: LocalRooms) -> None:
        self.user_id = user_id
        self._handlers = handlers
        self._rooms = rooms
        self._client: Client | None = None
        self._number = 0
        self.places: dict[str, Place] = {}
        self.memberships: dict[str, dict] = {}
        self.drafts: dict[tuple[str, int], dict] = {}
        self.bookmarks: dict[str, dict] = {}
        self.threads: dict[tuple[str, int], dict] = {}
        self.answered: dict[tuple[str, int], int] = {}
        self.user_revision = 0
        self._steps = None
        self._rejoined: set[str] = set()

    @property
    def is_online(self) -> bool:
        """Whether it has a socket."""
        return self._client is not None

    @property
    def is_behind(self) -> bool:
        """Whether it is catching up."""
        return self._steps is not None

    def connect(self) -> None:
        """Get a socket, and everything to do after it."""
        self._number += 1
        socket = Inbox()
        session = SessionId("session")
        self._client = Client(
            socket, f"s{self._number}", self.user_id, session, violations=3
        )
        self._rooms.add(self._client)
        self._steps = self._catch_up()

    def disconnect(self) -> None:
        """Lose the socket, and what was on the way."""
        self._rooms.remove(self._client)
        self._client = self._steps = None

    async def step(self) -> None:
        """Go one step on: a request while it is behind, else what came live."""
        if self._steps is None:
            await self._take_live()
            return
        try:
            await anext(self._steps)
        except StopAsyncIteration:
            self._steps = None
            await self._take_live()

    async def _catch_up(self):
        """Subscribe, then ask with what is known until there is no more."""
        on = self._client
        await self._handlers.follow_own(on, None)
        yield
        await self._watch(list(self.places))
        yield
        is_first, has_more = True, True
        while has_more:
            known = {c: place.revision for c, place in self.places.items()}
            revision = self.user_revision if is_first or self._own_has_more else None
            asked = SimpleNamespace(conversations=known, user_revision=revision)
            answer = json_of(await self._handlers.catch_up(on, asked))
            is_first = False
            yield
            new = self._learn(answer)
            await self._watch(new)
            has_more = answer["has_more"] or bool(new)
            yield

    async def _watch(self, places: list[str]) -> None:
        if places:
            asked = SimpleNamespace(conversation_ids=places)
            await self._handlers.subscribe(self._client, asked)

    def _learn(self, answer: dict) -> list[str]:
        """Take an answer in; return the conversations that are new."""
        own, self._own_has_more = answer["own"], False
        if own is not None:
            self._own_has_more = own["has_more"]
            for kind in KINDS:
                for item in own[f"{kind}s"]:
                    self._keep(kind, item)
            self.user_revision = own["user_revision"]
        new = [s["conversation_id"] for s in answer["joined"]]
        new = [c for c in new if c not in self.places]
        self.places |= {c: Place() for c in new}
        new += self._rejoined & self.places.keys()
        self._rejoined.clear()
        for moved in answer["moved"]:
            self._read_up_to(moved["conversation_id"], moved["read_seq"])
            if moved["changes"] is not None:
                self._apply_page(moved["conversation_id"], moved["changes"])
        for gone in answer["removed"]:
            self.places.pop(gone, None)
        for reset in answer["reset"]:
            self.places[reset] = Place()
        return new

    def _apply_page(self, conversation_id: str, page: dict) -> None:
        place = self.places[conversation_id]
        for message in page["messages"]:
            self._keep_message(conversation_id, message)
        for member in page["members"]:
            place.members[member["user_id"]] = member
        place.revision = page["revision"]

    async def _take_live(self) -> None:
        if self._client is None:
            return
        frames, self._client.socket.frames = self._client.socket.frames, []
        is_new = False
        for name, payload in frames:
            if name == "own.changed":
                is_new |= self._take_own(payload)
            elif payload.get("conversation_id") in self.places:
                self._take_change(payload)
        if is_new:  # what it was added to is fetched as after a reconnect
            self._steps = self._catch_up()

    def _take_own(self, payload: dict) -> bool:
        if payload["user_revision"] <= self.user_revision:
            return False
        self.user_revision = payload["user_revision"]
        for kind in KINDS:
            if payload.get(kind):
                self._keep(kind, payload[kind])
        place = payload.get("membership", {}).get("conversation_id")
        if place is None or not self.memberships[place]["is_active"]:
            return False
        is_new = place not in self.places or bool(self._rejoined)
        self._rejoined.clear()
        self.places.setdefault(place, Place())
        return is_new

    def _take_change(self, payload: dict) -> None:
        place = self.places[payload["conversation_id"]]
        if payload.get("revision", 0) <= place.revision:
            return
        place.revision = payload["revision"]
        if payload.get("message"):
            self._keep_message(payload["conversation_id"], payload["message"])
        if payload.get("member"):
            member = payload["member"]
            known = place.members.get(member["user_id"], {})
            place.members[member["user_id"]] = known | member

    def _keep_message(self, conversation_id: str, message: dict) -> None:
        known = self.places[conversation_id].messages
        merged = known.get(message["message_id"], {}) | message
        known[message["message_id"]] = merged
        if merged["sender_id"] == self.user_id:  # sending moves one's own marker
            self._read_up_to(conversation_id, merged["seq"])
            self._answer(conversation_id, merged)

    def _answer(self, conversation_id: str, message: dict) -> None:
        """Take note of an own answer: it moves the marker of its thread."""
        thread = (conversation_id, message.get("thread_seq"))
        self.answered[thread] = max(message["seq"], self.answered.get(thread, 0))

    def thread_read_seq(self, thread: tuple[str, int]) -> int:
        """Return how far a thread is read."""
        return max(self.threads[thread]["read_seq"], self.answered.get(thread, 0))

    def _read_up_to(self, conversation_id: str, seq: int) -> None:
        own = self.memberships.get(conversation_id)
        if own is not None:
            own["read_seq"] = max(seq, own.get("read_seq", 0))

    def _keep(self, kind: str, item: dict) -> None:
        place = item["conversation_id"]
        if kind == "membership":
            known = self.memberships.get(place, {})
            merged = known | item
            # What was read when nobody had sent yet comes late: markers never go back.
            merged["read_seq"] = max(
                known.get("read_seq", 0), merged.get("read_seq", 0)
            )
            if merged.get("joined_revision") != known.get("joined_revision"):
                self._rejoined.add(place)  # out in between, and out of the room
            self.memberships[place] = merged
            if not merged["is_active"]:
                self.places.pop(place, None)
        elif kind == "thread":
            self.threads[place, item["thread_seq"]] = item
        elif kind == "draft":
            self.drafts[place, item["thread_seq"]] = item
        else:
            self.bookmarks[item["message_id"]] = item


def json_of(wire: object) -> dict:
    """Return a payload as it is after the wire."""
    return json.loads(encode_ack("", wire)[2:])[0]


async def refused(awaitable) -> AppError | None:
    """Return the error of a use case that may be refused, or None."""
    try:
        await awaitable
    except AppError as error:
        return error
    return None
