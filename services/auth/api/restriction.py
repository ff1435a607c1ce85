"""Keeps restricted tokens from the routes of an account's security.

The gateway's table does so too; this holds whatever the table says.
"""

from fastapi import Depends

from libs.chassis.security import AnyPrincipal
from services.auth.domain import ScopeInsufficientError


async def sessions_only(principal: AnyPrincipal) -> None:
    """Accept anonymous requests and those of a session, no personal token's.

    Raises:
        ScopeInsufficientError: The request comes with a restricted token.
    """
    if principal.scopes:
        raise ScopeInsufficientError


SESSIONS_ONLY = Depends(sessions_only)
"""Stands among the dependencies of each router that is about security."""
