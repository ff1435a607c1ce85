"""Who asks for an administrative act, as the use cases know them."""

from typing import Annotated

from fastapi import Depends

from libs.chassis.security import CurrentPrincipal
from libs.kernel import SessionId, UserId
from services.auth.api.client import ClientAddress
from services.auth.domain import Actor


async def _actor(
    principal: CurrentPrincipal, client_address: ClientAddress = ""
) -> Actor:
    return Actor(
        UserId(principal.user_id), SessionId(principal.session_id), client_address
    )


CurrentActor = Annotated[Actor, Depends(_actor)]
"""A signed-in user with session and network address."""
