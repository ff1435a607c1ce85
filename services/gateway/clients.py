"""Auth as the gateway asks it, and the tokens that services know the gateway by."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from libs.chassis.http import ServiceClient
from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    Principal,
    TokenInvalidError,
)
from libs.kernel import SessionId, UnauthenticatedError, UnavailableError, UserId
from services.gateway.domain.errors import TokenRefusedError
from services.gateway.ports import Identity, TokenVerifier

PERSONAL_TOKEN_PREFIX = "parley_pat_"  # noqa: S105 - what they begin with
RESOLVE_PATH = "/internal/personal-tokens"


class AuthTokenVerifier:
    """Checks access tokens with auth's public keys."""

    def __init__(self, verifier: AccessTokenVerifier) -> None:
        self._verifier = verifier

    async def verify(self, token: str) -> Identity:
        """Return whom a token speaks for; see `TokenVerifier.verify`."""
        try:
            claims = await self._verifier.verify(token)
        except TokenInvalidError as error:
            if error.reason == "expired":
                raise TokenRefusedError(
                    "token_expired", "The access token has expired."
                ) from error
            raise TokenRefusedError(
                "token_invalid", "The access token is not valid."
            ) from error
        return Identity(
            user_id=UserId(claims.user_id),
            session_id=SessionId(claims.session_id),
            roles=claims.roles,
            expires_at=claims.expires_at,
            scopes=claims.scopes,
            authenticated_at=claims.authenticated_at,
            verified_until=claims.verified_until,
        )


class PersonalTokenVerifier:
    """Asks auth about personal access tokens, by their hash alone (ADR 0038).

    Everything else goes to the verifier of access tokens.
    """

    def __init__(self, auth: ServiceClient, others: TokenVerifier) -> None:
        self._auth = auth
        self._others = others

    async def verify(self, token: str) -> Identity:
        """Return whom a token speaks for; see `TokenVerifier.verify`."""
        if not token.startswith(PERSONAL_TOKEN_PREFIX):
            return await self._others.verify(token)
        question = {"token_hash": sha256(token.encode()).hexdigest()}
        try:
            answer = await self._auth.request("POST", RESOLVE_PATH, json=question)
            return _identity(answer)
        except UnauthenticatedError as error:
            raise TokenRefusedError(
                "token_invalid", "The access token is not valid."
            ) from error


def _identity(answer: Any) -> Identity:  # noqa: ANN401 - JSON
    try:
        first, *others = answer["scopes"]  # one at least: it is always restricted
        return Identity(
            user_id=UserId(answer["user_id"]),
            session_id=SessionId(answer["token_id"]),
            roles=tuple(answer["roles"]),
            expires_at=datetime.fromisoformat(answer["expires_at"]).timestamp(),
            scopes=(first, *others),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnavailableError(
            "auth_unavailable", "Auth's answer is no answer."
        ) from error


class InternalCredentials:
    """Signs a token for each service and session; kept for 30 s."""

    def __init__(self, signer: InternalTokenSigner) -> None:
        self._signer = signer

    def token(self, service: str, identity: Identity | None) -> str:
        """Return an internal token; see `Credentials.token`."""
        if identity is None:
            return self._signer.token(service, Principal.anonymous())
        principal = Principal(
            user_id=identity.user_id,
            session_id=identity.session_id,
            roles=identity.roles,
            scopes=identity.scopes,
            authenticated_at=identity.authenticated_at,
        )
        return self._signer.token(service, principal)
