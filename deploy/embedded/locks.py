"""Locks of a stack: one command at a time, and one supervisor."""

import contextlib
import fcntl
from collections.abc import Iterator

from deploy.embedded.layout import Stack

SUPERVISOR_LOCK = "supervisor.lock"
_COMMAND_LOCK = "command.lock"


@contextlib.contextmanager
def stack_lock(stack: Stack) -> Iterator[None]:
    """Hold the stack against other `up` and `down`; waits for them."""
    with _lock_file(stack, _COMMAND_LOCK) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def try_lock(stack: Stack, name: str) -> Iterator[bool]:
    """Hold a lock if nobody else does; yield whether that is so.

    The lock ends with the process, however that ends.
    """
    with _lock_file(stack, name) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def _lock_file(stack: Stack, name: str) -> Iterator[int]:
    stack.folder()
    with (stack.root / name).open("a") as file:
        yield file.fileno()
