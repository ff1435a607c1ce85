"""Keeps restricted tokens from the routes of an account's security.

The gateway's table does so too; this holds whatever the table says.
"""

from fastapi import Depends, Request

from libs.chassis.security import AnyPrincipal
from services.auth.domain.errors import ScopeInsufficientError


async def sessions_only(principal: AnyPrincipal) -> None:
    """Accept anonymous requests and those of a session, no personal token's.

    Raises:
        ScopeInsufficientError: The request comes with a restricted token.
    """
    if principal.scopes:
        raise ScopeInsufficientError


SESSIONS_ONLY = Depends(sessions_only)
"""Stands among the dependencies of each router that is about security."""


async def administration(request: Request, principal: AnyPrincipal) -> None:
    """Accept sessions, and reading by a token with the scope ``admin``.

    An act needs a fresh proof of a person, which no token can give.

    Raises:
        ScopeInsufficientError: The request comes with another restricted token, or
            is more than reading.
    """
    is_reading = request.method == "GET" and "admin" in principal.scopes
    if principal.scopes and not is_reading:
        raise ScopeInsufficientError


ADMINISTRATION = Depends(administration)
"""Stands among the dependencies of each router of administrators."""
