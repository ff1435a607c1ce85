"""The browser's refresh cookie, and who may send it (RT-5, CS-1).

A cookie comes along by itself, so a request that relies on it must prove that the
web client made it: the exact origin, and a header that no form can set.
"""

from fastapi import Request, Response

from services.auth.domain import SESSION_IDLE
from services.auth.domain.errors import OriginRefusedError
from services.auth.schemas import EnrolledResponse, SecondFactorResponse, TokenResponse
from services.auth.service import EnrolledSignIn, Entered, SignedIn

REFRESH_COOKIE = "__Host-parley_refresh"
CLIENT_HEADERS = ("X-Parley-Client", "X-Parley-CSRF")
"""Either will do; any value proves that a script of an allowed origin set it."""


def read_refresh_cookie(request: Request) -> str | None:
    """Return the refresh token of the cookie, None without one.

    Raises:
        OriginRefusedError: There is one, but the web client did not send it.
    """
    token = request.cookies.get(REFRESH_COOKIE)
    if token:
        check_origin(request)
    return token or None


def check_origin(request: Request) -> None:
    """Accept a request of the web client itself.

    Raises:
        OriginRefusedError: Another origin, or no header of the client.
    """
    public_origin: str = request.state.public_origin
    fetch_site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_own = (
        request.headers.get("Origin") == public_origin
        and fetch_site == "same-origin"
        and any(request.headers.get(name) for name in CLIENT_HEADERS)
    )
    if not is_own:
        raise OriginRefusedError


def is_web_client(request: Request) -> bool:
    """Tell whether a request is provably the web client's own; see `check_origin`."""
    try:
        check_origin(request)
    except OriginRefusedError:
        return False
    return True


def entered_response(
    entered: Entered, response: Response
) -> TokenResponse | SecondFactorResponse:
    """Return the body of any sign-in: tokens, or the factor that is missing."""
    if isinstance(entered, SignedIn):
        return token_response(entered, response)
    response.headers["Cache-Control"] = "no-store"
    return SecondFactorResponse.of(entered)


def token_response(signed_in: SignedIn, response: Response) -> TokenResponse:
    """Return the body, and put the refresh token where it belongs."""
    response.headers["Cache-Control"] = "no-store"
    if signed_in.is_cookie:
        response.set_cookie(
            REFRESH_COOKIE,
            signed_in.refresh_token,
            max_age=int(SESSION_IDLE.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
    return TokenResponse(
        access_token=signed_in.access_token,
        expires_in=signed_in.expires_in,
        refresh_token=None if signed_in.is_cookie else signed_in.refresh_token,
        session_id=signed_in.session_id,
        user_id=signed_in.user_id,
    )


def enrolled_response(enrolled: EnrolledSignIn, response: Response) -> EnrolledResponse:
    """Return the body of a sign-in that was finished by enrolling."""
    tokens = token_response(enrolled.signed_in, response)
    return EnrolledResponse(
        **tokens.model_dump(), recovery_codes=list(enrolled.recovery_codes)
    )


def drop_refresh_cookie(response: Response) -> None:
    """Tell the browser to forget the refresh token."""
    response.delete_cookie(
        REFRESH_COOKIE, path="/", secure=True, httponly=True, samesite="strict"
    )
