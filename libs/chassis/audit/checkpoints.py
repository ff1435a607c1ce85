"""The second place: what is known of the chain outside of the database."""

import asyncio
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from libs.chassis.audit.chain import Checkpoint


class CheckpointSink(Protocol):
    """Keeps checkpoints where whoever writes the database cannot change them."""

    async def append(self, checkpoint: Checkpoint) -> None:
        """Keep one; durable on return.

        Raises:
            OSError: It could not be kept; the sealer tries again.
        """
        ...

    async def last(self) -> Checkpoint | None:
        """Return the newest one that is known here.

        Raises:
            OSError: It cannot be told now.
        """
        ...


class FileCheckpointSink:
    """A file that only grows, one line of JSON a checkpoint.

    Args:
        path: The file; its folder exists. Better on another disk or host than the
            database, or shipped away as it grows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, checkpoint: Checkpoint) -> None:
        """Keep one; see `CheckpointSink.append`."""
        await asyncio.to_thread(self._append, checkpoint)

    async def last(self) -> Checkpoint | None:
        """Return the newest one; see `CheckpointSink.last`."""
        found = await asyncio.to_thread(read_checkpoints, [self._path])
        return found[-1] if found else None

    def _append(self, checkpoint: Checkpoint) -> None:
        line = json.dumps(
            {
                "service": checkpoint.service,
                "seq": checkpoint.seq,
                "hash": checkpoint.hash,
                "at": checkpoint.at.isoformat(timespec="milliseconds"),
                "key_id": checkpoint.key_id,
                "signature": checkpoint.signature,
            }
        )
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self._path, flags, 0o640)
        try:
            os.write(file, f"{line}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)


def read_checkpoints(paths: Iterable[Path]) -> list[Checkpoint]:
    """Return the checkpoints of files, in their order; other lines are passed over.

    Raises:
        OSError: A file that is there cannot be read.
    """
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            lines = path.read_text("utf-8", errors="replace").splitlines()
            found += [made for line in lines if (made := _parse(line)) is not None]
    return found


def _parse(line: str) -> Checkpoint | None:
    try:
        content = json.loads(line)
        return Checkpoint(
            service=str(content["service"]),
            seq=int(content["seq"]),
            hash=str(content["hash"]),
            at=datetime.fromisoformat(content["at"]),
            key_id=str(content["key_id"]),
            signature=str(content["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
