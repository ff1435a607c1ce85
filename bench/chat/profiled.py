"""Chat with a sampler in it: ``BENCH_PROFILE`` names the file for its shares."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from bench.events.sampler import Sampler
from libs.chassis.app import run
from services.chat.app import create_app
from services.chat.settings import ChatSettings


def create_sampled_app(settings: ChatSettings) -> FastAPI:
    """Return chat's app; it samples from `SIGUSR2` until it stops."""
    app = create_app(settings)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: FastAPI) -> AsyncIterator[object]:
        sampler = Sampler()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, sampler.start)
        async with inner(served) as state:
            try:
                yield state
            finally:
                sampler.stop()
                sampler.write(Path(os.environ["BENCH_PROFILE"]))

    app.router.lifespan_context = lifespan
    return app


run(create_sampled_app, ChatSettings)
