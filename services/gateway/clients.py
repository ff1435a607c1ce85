"""Auth as the gateway asks it, and the tokens that services know the gateway by."""

from libs.chassis.security import (
    AccessTokenVerifier,
    InternalTokenSigner,
    Principal,
    TokenInvalidError,
)
from libs.kernel import SessionId, UserId
from services.gateway.domain.errors import TokenRefusedError
from services.gateway.ports import Identity


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
        )


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
        )
        return self._signer.token(service, principal)
