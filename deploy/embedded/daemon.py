"""Main program of the supervisor: its lock, its guard, its socket, its signals."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import structlog

from deploy.embedded.control import SOCKET_NAME, Message, socket_path
from deploy.embedded.errors import StackError
from deploy.embedded.layout import CHECKOUT, Stack, open_stack
from deploy.embedded.locks import SUPERVISOR_LOCK, try_lock
from deploy.embedded.supervisor import Supervisor

_OPEN_FILES = 65536
_GUARD_PAUSE_SECONDS = 1.0
_LAST_WORD_SECONDS = 1.0


def main() -> None:
    """Supervise a stack until it is told to go down.

    Usage: python -m deploy.embedded.daemon ROOT BASE. Goes to the background at once.
    """
    stack = open_stack(Path(sys.argv[1]), int(sys.argv[2]))
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    _raise_open_files()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
    with try_lock(stack, SUPERVISOR_LOCK) as is_held:
        if not is_held:
            sys.exit(f"another supervisor has the stack in {stack.root}")
        asyncio.run(_supervise(stack))


def _raise_open_files() -> None:
    """Let the servers open what the machine allows, within what Erlang bears."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, _OPEN_FILES), most))


async def _supervise(stack: Stack) -> None:
    supervisor = Supervisor(stack)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.leave)
    tasks = [
        asyncio.create_task(_keep_guard(stack)),
        asyncio.create_task(supervisor.rotate_logs()),
    ]
    serving: set[asyncio.Task[None]] = set()
    folder = os.open(stack.root, os.O_RDONLY | os.O_DIRECTORY)
    (stack.root / SOCKET_NAME).unlink(missing_ok=True)
    server = await asyncio.start_unix_server(
        partial(_begin_to_serve, supervisor, serving), socket_path(folder)
    )
    try:
        await supervisor.stopped.wait()
        # The last words to those who watch the end.
        if serving:
            await asyncio.wait(serving, timeout=_LAST_WORD_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        server.close()
        (stack.root / SOCKET_NAME).unlink(missing_ok=True)
        os.close(folder)
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_guard(stack: Stack) -> None:
    """Have a guard at the other end of a pipe, for as long as this process lives."""
    while True:
        guard = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.embedded.guard", str(stack.root)),
            cwd=CHECKOUT,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            await guard.wait()
        finally:
            if guard.stdin is not None:
                guard.stdin.close()
        await asyncio.sleep(_GUARD_PAUSE_SECONDS)


def _begin_to_serve(
    supervisor: Supervisor,
    serving: set[asyncio.Task[None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    task = asyncio.create_task(_serve(supervisor, reader, writer))
    serving.add(task)
    task.add_done_callback(serving.discard)


async def _serve(
    supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        request = json.loads(await reader.readline() or b"{}")
        async for message in _answer(supervisor, request):
            await _send(writer, message)
    except StackError as error:
        await _send(writer, {"error": str(error)})
    except (ConnectionError, ValueError):
        pass  # The asker went away, or was no client of ours; the work goes on.
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()


async def _answer(supervisor: Supervisor, request: Message) -> AsyncIterator[Message]:
    match request:
        case {"command": "up", "programs": list() as words}:
            answers = supervisor.up(words)
        case {"command": "start", "program": str() as name}:
            answers = supervisor.start_one(name, request.get("environment"))
        case {"command": "stop", "programs": list() as names}:
            answers = supervisor.stop(names)
        case {"command": "down"}:
            answers = supervisor.down()
        case {"command": "discard"}:
            answers = supervisor.discard()
        case _:
            answers = _answer_at_once(supervisor, request)
    async for message in answers:
        yield message


async def _answer_at_once(
    supervisor: Supervisor, request: Message
) -> AsyncIterator[Message]:
    match request:
        case {"command": "leaving"}:
            yield {"is_leaving": supervisor.is_leaving}
        case {"command": "status"}:
            yield await supervisor.status()


if __name__ == "__main__":
    main()
