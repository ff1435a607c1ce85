"""History and catching up in a conversation of 1,000,000 messages against one of 1,000.

Run it with ``make bench B=chat-history``. In a database of its own, which is removed
afterwards: both conversations are filled with documents as the repository stores them,
sealed by the real vault, in bulk and without events. Then the service's own code reads
pages of 50 from both in turn: wall time, and CPU of this process and of mongod. At last
the list of a user with 1,000 conversations, with the plans of its queries.
"""

import argparse
import asyncio
import inspect
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pymongo
from pydantic import SecretStr
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase

from bench.chat.plans import SentQueries, examined, explain, stages_of
from bench.events.meter import cpu_of
from bench.events.report import machine
from bench.events.servers import Place, open_place
from deploy.embedded.layout import DEFAULT_ROOT, open_stack
from libs.chassis.mongo import open_mongo
from libs.chassis.settings import MongoSettings
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import ConversationId, MessageId, SystemClock, UserId, new_id
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.message import Message
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    MongoMessageRepository,
    Schema,
    SenderMarkers,
)
from services.chat.repository.message_documents import message_document
from services.chat.service.conversations import Conversations
from services.chat.service.messages import Messages
from services.chat.service.sync import Sync

NAME = "bench-chat-history"
SMALL, LARGE = 1_000, 1_000_000
PAGE = 50
ROUNDS = 400
WARM = 40
LISTED = 1_000
LIST_PAGE = 200
_INSERTED = 1_000
_INSERT_SECONDS = 60
_TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why. "
_CLOCK = SystemClock()
U = TypeVar("U")

Read = Callable[[ConversationId, int], Awaitable[object]]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.chat_history", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    parser.add_argument("--messages", type=int, default=LARGE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def with_only(use_cases: type[U], **needed: object) -> U:
    """Return use cases that can read: what writing needs is not there."""
    absent = dict.fromkeys(inspect.signature(use_cases).parameters)
    return use_cases(**(absent | needed))


class Bench:
    """The service's code over a database of its own."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self.database = database
        self.vault = ConversationVault(DataKeys(FileKeyWrapper(KeyRing.generate())))
        self.stored = MongoConversationRepository(
            database, self.vault, SenderMarkers(database)
        )
        messages = MongoMessageRepository(database, self.vault)
        self.reader = UserId(new_id())
        self.sync = Sync(self.stored, messages)
        self.messages = with_only(
            Messages, conversations=self.stored, messages=messages
        )
        self.conversations = with_only(Conversations, repository=self.stored)

    async def open(self, number: int = 0) -> ConversationId:
        """Store a group with the reader in it."""
        conversation = Conversation(
            conversation_id=ConversationId(new_id()),
            kind=ConversationKind.GROUP,
            title=f"Group {number}",
            project_id=None,
            created_by=self.reader,
            created_at=_CLOCK.now(),
        )
        member = Member(
            conversation_id=conversation.conversation_id,
            user_id=self.reader,
            role=Role.OWNER,
            joined_at=conversation.created_at + timedelta(seconds=number),
            revision=1,
        )
        await self.stored.insert(conversation, [member], session=None)
        return conversation.conversation_id

    async def fill(self, conversation_id: ConversationId, count: int) -> None:
        """Store so many messages, then the counters that belong to them."""
        # One writer at a pace that a small cache can evict; nobody relies on what a
        # benchmark stores, so that no batch waits for the disk.
        fast = WriteConcern(w=1)
        stored = self.database["messages"].with_options(write_concern=fast)
        for first in range(1, count + 1, _INSERTED):
            seqs = range(first, min(first + _INSERTED, count + 1))
            with pymongo.timeout(_INSERT_SECONDS):
                documents = self._documents(conversation_id, seqs)
                await stored.insert_many(documents, ordered=False)
        counters = {"last_seq": count, "revision": count + 1}
        await self.database["conversations"].update_one(
            {"_id": conversation_id}, {"$set": counters}
        )

    def _documents(
        self, conversation_id: ConversationId, seqs: Iterable[int]
    ) -> list[dict[str, Any]]:
        now = _CLOCK.now()
        return [
            message_document(
                Message(
                    message_id=MessageId(new_id()),
                    conversation_id=conversation_id,
                    client_message_id=new_id(),
                    seq=seq,
                    revision=seq + 1,
                    sender_id=self.reader,
                    sent_at=now,
                    text=_TEXT,
                ),
                self.vault,
            )
            for seq in seqs
        ]


async def compare(
    read: Read, sizes: dict[ConversationId, int], mongod: int, rounds: int
) -> list[dict[str, float]]:
    """Read from the conversations in turn; return the figures of each.

    Each round reads from both, one after the other and in changing order: what the
    machine does meanwhile meets both alike.
    """
    taken: dict[ConversationId, list[float]] = {c: [] for c in sizes}
    used = dict.fromkeys(sizes, 0.0)
    served = dict.fromkeys(sizes, 0.0)
    for number in range(WARM + rounds):
        order = list(sizes) if number % 2 else list(sizes)[::-1]
        for conversation_id in order:
            began, own, theirs = (
                time.perf_counter(),
                time.process_time(),
                cpu_of(mongod),
            )
            await read(conversation_id, sizes[conversation_id])
            if number >= WARM:
                taken[conversation_id].append(time.perf_counter() - began)
                used[conversation_id] += time.process_time() - own
                served[conversation_id] += cpu_of(mongod) - theirs
    return [
        {
            "p50_ms": statistics.median(taken[c]) * 1e3,
            "cpu_us": used[c] / rounds * 1e6,
            "mongod_cpu_us": served[c] / rounds * 1e6,
        }
        for c in sizes
    ]


def reads_of(bench: Bench) -> dict[str, Read]:
    """Return what a client asks for, by name."""

    async def newest(place: ConversationId, _: int) -> object:
        return await bench.messages.page(bench.reader, place, limit=PAGE)

    async def middle(place: ConversationId, size: int) -> object:
        before = size // 2
        return await bench.messages.page(bench.reader, place, before=before, limit=PAGE)

    async def changes(place: ConversationId, size: int) -> object:
        since = size + 1 - PAGE
        return await bench.sync.changes(bench.reader, place, since=since, limit=PAGE)

    async def changes_old(place: ConversationId, size: int) -> object:
        since = size // 2
        return await bench.sync.changes(bench.reader, place, since=since, limit=PAGE)

    return {
        "history_newest": newest,
        "history_middle": middle,
        "changes_newest": changes,
        "changes_middle": changes_old,
    }


async def history(
    bench: Bench, place: Place, asked: argparse.Namespace
) -> dict[str, float]:
    """Fill both conversations and compare; return the figures."""
    sizes = {await bench.open(): SMALL, await bench.open(): asked.messages}
    began = time.monotonic()
    for conversation_id, size in sizes.items():
        await bench.fill(conversation_id, size)
    found = {"load_seconds": time.monotonic() - began}
    print(f"{asked.messages:,} messages stored in {found['load_seconds']:.0f} s")
    print(f"{'page of 50':<16} {'1k':>8} {'1M':>8} {'ratio':>6}  CPU (mongod's)")
    for name, read in reads_of(bench).items():
        both = await compare(read, sizes, place.servers["mongod"], asked.rounds)
        for size, figures in zip(("1k", "1m"), both, strict=True):
            found |= {f"{name}_{size}_{key}": value for key, value in figures.items()}
        small, large = (figures["p50_ms"] for figures in both)
        found[f"{name}_ratio"] = large / small
        cpu = "  ".join(
            f"{figures['cpu_us'] + figures['mongod_cpu_us']:.0f} us"
            f" ({figures['mongod_cpu_us']:.0f})"
            for figures in both
        )
        print(f"{name:<16} {small:8.2f} {large:8.2f} {large / small:6.2f}  {cpu}")
    ratios = [value for name, value in found.items() if name.endswith("_ratio")]
    return found | {"ratio_1m_to_1k": max(ratios)}


async def listing(bench: Bench, sent: SentQueries) -> dict[str, float]:
    """List 1,000 conversations in pages; show the plans of one page."""
    bench.reader = UserId(new_id())
    for number in range(LISTED):
        await bench.open(number)
    taken = []
    for _ in range(5):
        began, before, shown = time.perf_counter(), None, 0
        while shown == 0 or before is not None:
            page, before = await bench.conversations.page(
                bench.reader, before=before, limit=LIST_PAGE
            )
            shown += len(page)
        taken.append((time.perf_counter() - began) * 1e3)
    with sent.listening() as queries:
        await bench.conversations.page(bench.reader, before=None, limit=LIST_PAGE)
    whole = statistics.median(taken)
    print(f"list of {shown} in pages of {LIST_PAGE}: {whole:.1f} ms in all")
    for command in list(queries):
        plan = await explain(bench.database, command)
        keys, documents = examined(plan)
        stages = " < ".join(stages_of(plan))
        print(f"  {command['find']}: {stages}; {keys} keys, {documents} documents")
    return {"list_1000_ms": whole, "list_page_queries": len(queries)}


async def run(asked: argparse.Namespace) -> dict[str, float]:
    """Make the database, measure, remove it."""
    sent = SentQueries()
    async with open_place(open_stack(asked.stack), "chat", NAME) as place:
        url = SecretStr(place.mongo_url)
        settings = MongoSettings(mongo_url=url, mongo_database=place.database)
        async with open_mongo(settings) as database:
            await Schema(database, _CLOCK).apply(NAME, lambda *_: None)
            bench = Bench(database)
            listed = await listing(bench, sent)
            return listed | await history(bench, place, asked)


if __name__ == "__main__":
    figures = asyncio.run(run(arguments()))
    print(machine())
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
