"""Security of a service: who asks, as FastAPI dependencies and as token classes."""

from typing import Annotated

import structlog
from fastapi import Depends, Request

from libs.chassis.access_tokens import (
    AccessClaims,
    AccessTokenVerifier,
    JwksSource,
    KeySource,
    jwks_over_http,
)
from libs.chassis.freshness import is_fresh
from libs.chassis.internal_tokens import InternalTokenSigner, InternalTokenVerifier
from libs.chassis.origins import Origin, bind_origin
from libs.chassis.principals import Principal
from libs.chassis.tokens import TokenInvalidError
from libs.kernel import ForbiddenError, SystemClock, UnauthenticatedError

__all__ = [
    "AccessClaims",
    "AccessTokenVerifier",
    "AnyPrincipal",
    "CurrentPrincipal",
    "FreshPrincipal",
    "InternalTokenSigner",
    "InternalTokenVerifier",
    "JwksSource",
    "KeySource",
    "Principal",
    "ServicePrincipal",
    "SessionPrincipal",
    "TokenInvalidError",
    "jwks_over_http",
]

_BEARER = "bearer "
_ADDRESS_HEADER = "x-client-address"
_log = structlog.get_logger()


async def _any_principal(request: Request) -> Principal:
    verifier: InternalTokenVerifier = request.app.state.internal_tokens
    values = request.headers.getlist("authorization")
    if len(values) != 1 or not values[0].lower().startswith(_BEARER):
        raise _refused()
    try:
        principal = verifier.verify(values[0][len(_BEARER) :].strip())
    except TokenInvalidError as error:
        _log.warning("internal_token_refused", reason=error.reason)
        raise _refused() from None
    structlog.contextvars.bind_contextvars(caller=principal.caller)
    address = request.headers.get(_ADDRESS_HEADER, "")
    if principal.is_user:  # "service" and "anonymous" are no users
        structlog.contextvars.bind_contextvars(user_id=principal.user_id)
        bind_origin(Origin(principal.user_id, principal.session_id, address))
    else:
        bind_origin(Origin(address=address))
    return principal


def _refused() -> UnauthenticatedError:
    # A code of its own: a client that sees `token_invalid` would renew its token.
    return UnauthenticatedError(
        "internal_token_invalid", "Only other services may call this one."
    )


AnyPrincipal = Annotated[Principal, Depends(_any_principal)]
"""Whoever asks, anonymous included; needs a valid internal token all the same."""


async def _current_principal(principal: AnyPrincipal) -> Principal:
    if principal.is_anonymous:
        raise UnauthenticatedError("unauthenticated", "Sign in first.")
    if principal.is_service:
        raise ForbiddenError("user_required", "Only a user may do this.")
    return principal


CurrentPrincipal = Annotated[Principal, Depends(_current_principal)]
"""A signed-in user."""


async def _session_principal(principal: CurrentPrincipal) -> Principal:
    if principal.scopes:
        raise ForbiddenError(
            "insufficient_scope", "The token's scopes do not allow this."
        )
    return principal


SessionPrincipal = Annotated[Principal, Depends(_session_principal)]
"""A signed-in user with all their rights: no restricted token."""


async def _fresh_principal(principal: SessionPrincipal) -> Principal:
    if not is_fresh(principal.authenticated_at, SystemClock().now()):
        raise ForbiddenError(
            "step_up_required", "Prove once more who you are, then try again."
        )
    return principal


FreshPrincipal = Annotated[Principal, Depends(_fresh_principal)]
"""The same, who proved who they are in the last five minutes (MF-6)."""


async def _service_principal(principal: AnyPrincipal) -> Principal:
    if not principal.is_service:
        raise ForbiddenError("service_required", "Only a service may do this.")
    return principal


ServicePrincipal = Annotated[Principal, Depends(_service_principal)]
"""Another service on its own account: for ``/internal/...`` routes."""
