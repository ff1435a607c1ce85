"""A process that does privileged acts until it is killed: auth without its routes."""

import asyncio
import os
from contextlib import AsyncExitStack

from libs.chassis.health import Health
from libs.chassis.logging import configure_logging
from libs.chassis.settings import load_settings
from services.auth.app import open_state
from services.auth.domain import (
    AuthMethod,
    ClientDevice,
    RevokeReason,
)
from services.auth.settings import AuthSettings


def act(environment, user_id, has_acted):
    """Start and end sessions of a user, as fast as it goes."""
    os.environ.update(environment)
    asyncio.run(_act(user_id, has_acted))


async def _act(user_id, has_acted):
    settings = load_settings(AuthSettings)
    configure_logging(settings)
    device = ClientDevice("kill", "10.0.0.1", has_cookie=False)
    async with AsyncExitStack() as stack:
        state = await open_state(settings, stack, Health())
        user = await state["sign_in"].users.get(user_id, None)
        entrance, control = state["sign_in"].entrance, state["session_control"]
        while True:
            entered = await asyncio.gather(
                *(
                    entrance.enter(user, device, (AuthMethod.PASSWORD,))
                    for _ in range(4)
                )
            )
            has_acted.set()
            await control.revoke_own(
                user_id, entered[0].session_id, RevokeReason.REVOKED
            )


def erase(environment, has_begun):
    """Erase everybody who is due, as a process does that has just started."""
    os.environ.update(environment)
    asyncio.run(_erase(has_begun))


async def _erase(has_begun):
    settings = load_settings(AuthSettings)
    configure_logging(settings)
    async with AsyncExitStack() as stack:
        await open_state(settings, stack, Health())
        has_begun.set()
        await asyncio.Event().wait()
