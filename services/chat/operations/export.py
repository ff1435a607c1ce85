"""``export CONVERSATION --output FILE``: a conversation as lines of JSON."""

import asyncio
import os
from argparse import Namespace
from collections.abc import AsyncIterator
from pathlib import Path

from libs.chassis.mongo import open_mongo
from libs.chassis.progress import show
from libs.kernel import ConversationId, SystemClock
from services.chat.operations.opening import open_vault
from services.chat.operations.recording import record_command
from services.chat.repository import (
    MongoConversationRepository,
    MongoMessageRepository,
    MongoVersionRepository,
    SenderMarkers,
)
from services.chat.service.export import Export
from services.chat.settings import ChatSettings

_CHUNK_LINES = 500


async def run(arguments: Namespace, settings: ChatSettings) -> int:
    """Write the file; it appears whole or not at all."""
    target, conversation_id = Path(arguments.output), arguments.conversation
    async with open_mongo(settings) as database, open_vault(settings) as vault:
        export = Export(
            MongoConversationRepository(database, vault, SenderMarkers(database)),
            MongoMessageRepository(database, vault),
            MongoVersionRepository(database, vault),
            SystemClock(),
        )
        await record_command(
            database, "conversation.exported", target_id=conversation_id
        )
        lines = export.lines(ConversationId(conversation_id))
        count = await write_whole(target, lines)
    show({"conversation_id": conversation_id, "file": str(target), "lines": count})
    return 0


async def write_whole(target: Path, lines: AsyncIterator[bytes]) -> int:
    """Write lines to a file that only its owner may read; return how many.

    They go to a file beside it first, which takes its name once all is on disk: what
    was there before stays until then, and where something fails.
    """
    part = target.with_name(f".{target.name}.part")
    await asyncio.to_thread(part.unlink, missing_ok=True)
    count = 0
    try:
        handle = await asyncio.to_thread(_created, part)
        try:
            async for chunk, size in _chunks(lines):
                await asyncio.to_thread(_write, handle, chunk)
                count += size
            await asyncio.to_thread(os.fsync, handle)
        finally:
            os.close(handle)
        await asyncio.to_thread(_rename, part, target)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return count


async def _chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, int]]:
    waiting: list[bytes] = []
    async for line in lines:
        waiting.append(line)
        if len(waiting) == _CHUNK_LINES:
            yield b"".join(waiting), len(waiting)
            waiting = []
    yield b"".join(waiting), len(waiting)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write(handle: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(handle, chunk) :]


def _rename(part: Path, target: Path) -> None:
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
