"""Who asks: a user with a session, nobody, or another service."""

from dataclasses import dataclass

ANONYMOUS = "anonymous"
SERVICE = "service"


@dataclass(frozen=True)
class Principal:
    """On whose behalf a request runs; comes from a verified internal token alone.

    Attributes:
        user_id: Id of the user; ``anonymous`` or ``service`` stand for no user.
        session_id: Session of the user, empty where there is no user.
        roles: Roles in the organisation.
        scopes: What the token was restricted to, empty for no restriction.
        caller: Service that sent the request, from the token's issuer.
        authenticated_at: Seconds since 1970, when the user last proved who they are; 0
            where nothing is known of it.
    """

    user_id: str
    session_id: str = ""
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    caller: str = ""
    authenticated_at: int = 0

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is signed in."""
        return self.user_id == ANONYMOUS

    @property
    def is_service(self) -> bool:
        """Whether a service asks on its own account."""
        return self.user_id == SERVICE

    @property
    def is_user(self) -> bool:
        """Whether a signed-in person asks."""
        return not (self.is_anonymous or self.is_service)

    @classmethod
    def anonymous(cls) -> "Principal":
        """Return the principal of a request without a user."""
        return cls(ANONYMOUS)

    @classmethod
    def service(cls) -> "Principal":
        """Return the principal of a service that asks on its own account."""
        return cls(SERVICE)
