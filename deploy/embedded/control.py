"""How commands reach the supervisor: JSON lines over a Unix socket of mode 0600."""

import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.embedded.errors import NotRunningError, StackError
from deploy.embedded.layout import Stack

SOCKET_NAME = "supervisor.sock"
_ANSWER_SECONDS = 120.0

Message = dict[str, Any]


def socket_path(folder: int) -> str:
    """Return a short name of the socket: a Unix address ends at 107 characters.

    Args:
        folder: Open descriptor of the stack's root; it stays open while in use.
    """
    return f"/proc/self/fd/{folder}/{SOCKET_NAME}"


def ask(stack: Stack, request: Mapping[str, Any]) -> Iterator[Message]:
    """Send a command and yield every line of the answer, the last one included.

    Args:
        stack: Whose supervisor.
        request: ``{"command": name, ...}``.

    Raises:
        NotRunningError: There is no supervisor.
        StackError: It refused; the text is its own.
    """
    with _connect(stack) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        for line in _exchange(connection, request):
            message: Message = json.loads(line)
            if "error" in message:
                raise StackError(message["error"])
            yield message


def ask_once(stack: Stack, request: Mapping[str, Any]) -> Message:
    """Send a command and return the last line of the answer."""
    message: Message = {}
    for message in ask(stack, request):  # noqa: B007 - the last one counts
        pass
    return message


def _exchange(connection: socket.socket, request: Mapping[str, Any]) -> Iterator[bytes]:
    try:
        connection.sendall(json.dumps(dict(request)).encode() + b"\n")
        with connection.makefile("rb") as lines:
            yield from lines
    except TimeoutError:
        raise StackError("the supervisor does not answer") from None
    except ConnectionError:
        raise NotRunningError("the supervisor went away meanwhile") from None


def is_supervised(stack: Stack) -> bool:
    """Tell whether a supervisor answers."""
    try:
        _connect(stack).close()
    except NotRunningError:
        return False
    return True


def supervisor_pid(stack: Stack) -> int | None:
    """Return the pid of the supervisor, None if there is none."""
    try:
        with _connect(stack) as connection:
            peer = connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
            )
    except NotRunningError:
        return None
    pid: int = struct.unpack("3i", peer)[0]
    return pid


def _connect(stack: Stack) -> socket.socket:
    try:
        folder = os.open(stack.root, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise NotRunningError(f"no stack in {stack.root}") from None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(socket_path(folder))
    except OSError:
        connection.close()
        raise NotRunningError(f"the stack in {stack.root} is not running") from None
    finally:
        os.close(folder)
    return connection
