"""The cookie that ties a provider's answer to the browser that asked (OI-1)."""

from fastapi import Request, Response

from services.auth.api.cookie import check_origin
from services.auth.domain import (
    FLOW_LIFETIME,
    ProofHolder,
)
from services.auth.domain.errors import OriginRefusedError

FLOW_COOKIE = "__Host-parley_oidc"
_SITES = ("same-origin", "none")
"""Our own page, or what a person typed or an app opened; no other site's link."""


def check_navigation(request: Request) -> None:
    """Refuse to start a sign-in for another site (login CSRF).

    Raises:
        OriginRefusedError: Another site's page led here.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in _SITES:
        raise OriginRefusedError


def set_flow_cookie(response: Response, binding: str) -> None:
    """Give the browser its half; Lax, for the provider's page leads back to us."""
    response.set_cookie(
        FLOW_COOKIE,
        binding,
        max_age=int(FLOW_LIFETIME.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def read_flow_cookie(request: Request) -> str:
    """Return the browser's half, empty without one."""
    return request.cookies.get(FLOW_COOKIE, "")


def drop_flow_cookie(response: Response) -> None:
    """Tell the browser to forget its half."""
    response.delete_cookie(
        FLOW_COOKIE, path="/", secure=True, httponly=True, samesite="lax"
    )


def holder_of(request: Request, verifier: str | None) -> ProofHolder:
    """Return what shows that a code is the caller's.

    Raises:
        OriginRefusedError: It would be the cookie, but the web client did not send it.
    """
    if verifier is not None:
        return ProofHolder(verifier=verifier)
    check_origin(request)
    return ProofHolder(binding=read_flow_cookie(request))
