"""What a client gets for signing in or renewing."""

from dataclasses import dataclass

from libs.kernel import SessionId, UserId
from services.auth.domain import (
    Session,
    User,
)
from services.auth.service.tokens import (
    ACCESS_TOKEN_LIFETIME,
    AccessTokens,
    RefreshToken,
)


@dataclass(frozen=True)
class SignedIn:
    """Tokens for the client.

    Attributes:
        expires_in: Seconds until the access token expires.
        is_cookie: Whether the refresh token belongs into the cookie.
    """

    user_id: UserId
    session_id: SessionId
    access_token: str
    refresh_token: str
    expires_in: int
    is_cookie: bool

    @classmethod
    def issue(
        cls, access: AccessTokens, user: User, session: Session, token: RefreshToken
    ) -> "SignedIn":
        """Sign an access token and put it beside the refresh token."""
        return cls(
            user_id=user.user_id,
            session_id=session.session_id,
            access_token=access.issue(
                user.user_id,
                session.session_id,
                user.roles,
                authenticated_at=session.authenticated_at,
            ),
            refresh_token=token.text,
            expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
            is_cookie=session.is_cookie,
        )
