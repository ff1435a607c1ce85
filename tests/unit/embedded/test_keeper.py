"""A program is kept whatever its probe does."""

import asyncio
import sys

from deploy.embedded.keeper import Keeper
from deploy.embedded.layout import Stack
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import NotReadyError


async def _nobody() -> None:
    """Come after no program."""


async def test_a_probe_that_swallows_its_cancellation_does_not_hold_the_restart(
    tmp_path,
) -> None:
    """A program that dies while it is probed is started again, deaf probe or not."""
    probing = asyncio.Event()

    async def settle() -> None:
        if keeper.restarts:
            return
        is_deaf = not probing.is_set()
        probing.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as error:
            if not is_deaf:
                raise
            raise NotReadyError("the driver lost its connection") from error

    program = Program(
        name="mongod",
        group=Group.SERVER,
        command=(sys.executable, "-c", "import time; time.sleep(60)"),
        settle=settle,
    )
    stack = Stack(root=tmp_path, base=30000)
    stack.logs.mkdir()
    keeper = Keeper(stack, program, lambda: None)
    keeper.start(_nobody)
    async with asyncio.timeout(20):
        await probing.wait()
        first = keeper.child
        assert first is not None
        first.kill()
        await keeper.until_ready()
        assert keeper.pid != first.pid
        assert keeper.restarts == 1
        ended = keeper.stop(_nobody, is_gentle=False)
        assert ended is not None
        await ended
