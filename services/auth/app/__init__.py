"""Composition root of auth: everything is opened and put together here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from services.auth.api import FORMS, ROUTERS, AuthState
from services.auth.app.adapters import (
    Adapters,
    Counters,
    DeletionStores,
    IdentityStores,
    ProfileStores,
    Stores,
    open_adapters,
)
from services.auth.app.deletion import erase_in_background
from services.auth.app.providers import ConfiguredProviders, open_providers
from services.auth.app.use_cases import auth_state
from services.auth.consumers import worker
from services.auth.service import Avatars, ErasureReport
from services.auth.settings import AuthSettings

__all__ = [
    "Adapters",
    "ConfiguredProviders",
    "Counters",
    "DeletionStores",
    "Heard",
    "IdentityStores",
    "ProfileStores",
    "Stores",
    "auth_state",
    "create_app",
    "open_state",
]


@dataclass(frozen=True)
class Heard:
    """What event handlers find in their context."""

    avatars: Avatars
    erasure_report: ErasureReport


def create_app(settings: AuthSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[AuthState]:
        async with AsyncExitStack() as stack:
            yield await open_state(settings, stack, health)

    return create_http_app(
        settings,
        lifespan=lifespan,
        routers=ROUTERS,
        title="Parley auth",
        health=health,
        forms=FORMS,
    )


async def open_state(
    settings: AuthSettings, stack: AsyncExitStack, health: Health
) -> AuthState:
    """Connect to everything, put the use cases together and begin the work.

    All of it ends with the stack.
    """
    adapters = await open_adapters(settings, stack, health)
    configured = await open_providers(settings, stack, adapters.clock)
    state = auth_state(settings, adapters, configured)
    heard = Heard(state["avatars"], state["erasure_report"])
    await stack.enter_async_context(adapters.bus.run_worker(worker, heard))
    await erase_in_background(settings, adapters, state, stack)
    return state
