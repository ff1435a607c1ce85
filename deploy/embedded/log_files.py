"""The programs' log files: opened for appending, read from the end, kept small."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack

ROTATE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 3
_TAIL_BYTES = 64 * 1024
_LINE_LIMIT = 300
_SUFFIXES = {".log", ".jsonl"}


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[int]:
    """Yield a descriptor whose every write goes to the file's end, mode 0600.

    That is what lets `rotate` cut the file while a program still writes.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def last_lines(path: Path, count: int = 20, since_bytes: int = 0) -> str:
    """Return the last lines of a file, an empty text if there is none.

    Args:
        path: A log file.
        count: Lines at most; each is cut after 300 characters.
        since_bytes: Only what was written from this position on.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # A rotation has made the position meaningless if it lies behind the end.
            start = since_bytes if since_bytes <= size else 0
            file.seek(max(start, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = text.splitlines()[-count:]
    return "\n".join(line[:_LINE_LIMIT] for line in lines)


def log_paths(stack: Stack, words: Sequence[str]) -> list[Path]:
    """Return the live log files that hold something, by name.

    Args:
        stack: Whose.
        words: Names or their beginnings, such as ``edge`` for ``edge-access.log``;
            empty for all.

    Raises:
        StackError: No log file's name begins with a word.
    """
    paths = [p for p in sorted(stack.logs.glob("*")) if p.suffix in _SUFFIXES]
    for word in words:
        if not any(path.stem.startswith(word) for path in paths):
            names = ", ".join(sorted({path.stem for path in paths})) or "none yet"
            raise StackError(f"no log is called {word!r}; there are: {names}")
    return [
        path
        for path in paths
        if path.stat().st_size and (not words or path.stem.startswith(tuple(words)))
    ]


def rotate(path: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """Move a file's content aside when it is too long, keeping the open file.

    A line written between copy and cut is lost: programs that must not lose one
    rotate their own file.

    Args:
        path: The live file; older ones are ``.1`` (youngest) to ``.3``.
        limit_bytes: Size from which it is rotated.

    Returns:
        Whether it was rotated.
    """
    try:
        if path.stat().st_size < limit_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT_FILES - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True
