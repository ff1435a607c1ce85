"""A service with nothing of its own: what `libs.chassis` makes of any service.

Run as ``python -m tests.support.demo_service``; DEMO_MODE chooses how it misbehaves.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import APIRouter, FastAPI, Request
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.chassis.app import create_http_app, run
from libs.chassis.errors import StartError
from libs.chassis.health import Health
from libs.chassis.settings import ServiceSettings
from libs.crypto import KeyRingError
from libs.kernel import UnavailableError

router = APIRouter(prefix="/api/v1/demo")
FAILURES: dict[str, Exception] = {
    "start-error": StartError("the demo does not want to"),
    "key-error": KeyRingError("key ring /keys/x: No such file"),
    "app-error": UnavailableError("store_away", "Not now."),
    "bug": ValueError("private words"),
}


class DemoSettings(ServiceSettings):
    """Settings of the demo."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")
    mode: str = Field(default="", description="How to misbehave.")


class DemoState(TypedDict):
    """State of every request."""

    greeting: str


@router.get("/greeting")
async def greet(request: Request) -> str:
    """Return what the lifespan yielded."""
    return str(request.state.greeting)


@router.get("/slow")
async def be_slow(seconds: float) -> str:
    """Answer late."""
    await asyncio.sleep(seconds)
    return "done"


@router.post("/note")
async def note() -> str:
    """Do what must not be done twice; the log counts it."""
    return "noted"


@router.get("/bug")
async def fail() -> str:
    """Fail with private words."""
    raise ValueError("private words")


def create_app(settings: DemoSettings) -> FastAPI:
    """Compose the demo."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[DemoState]:
        if settings.mode in FAILURES:
            raise FAILURES[settings.mode]
        if settings.mode == "slow-start":
            await asyncio.sleep(60)
        async with asyncio.TaskGroup() as tasks:
            if settings.mode == "breaks":
                tasks.create_task(_break_soon())
            yield DemoState(greeting="hello")
            if settings.mode == "hangs":
                await asyncio.sleep(60)

    return create_http_app(
        settings, lifespan=lifespan, routers=[router], title="Demo", health=Health()
    )


async def _break_soon() -> None:
    await asyncio.sleep(0.5)
    raise OSError("gone")


if __name__ == "__main__":
    run(create_app, DemoSettings)
