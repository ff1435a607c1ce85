"""What `status` tells of one program."""

import asyncio
import time
from typing import Any

import psutil

from deploy.embedded.keeper import Keeper, State
from deploy.embedded.layout import Stack
from deploy.embedded.readiness import NotReadyError

_PROBE_SECONDS = 4.0


async def program_status(stack: Stack, keeper: Keeper) -> dict[str, Any]:
    """Return one row of `status`.

    Returns:
        name, state, pid (or None), ports, memory_bytes (the process and its
        children), uptime_seconds, restarts, health ("ok", "-" or what is wrong).
    """
    pid = keeper.pid
    return {
        "name": keeper.program.name,
        "state": keeper.state.value,
        "pid": pid,
        "ports": [stack.port(name) for name in keeper.program.ports],
        "memory_bytes": _memory_bytes(pid) if pid is not None else 0,
        "uptime_seconds": _uptime_seconds(keeper),
        "restarts": keeper.restarts,
        "health": await _health(keeper),
    }


def _uptime_seconds(keeper: Keeper) -> float:
    if keeper.pid is None or keeper.child is None:
        return 0.0
    return max(0.0, time.time() - keeper.child.started_at)


def _memory_bytes(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0


async def _health(keeper: Keeper) -> str:
    if keeper.state is State.DONE:
        return "ok"
    if keeper.state is not State.READY:
        return keeper.failure or "-"
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await keeper.program.check()
    except (NotReadyError, OSError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return "ok"
