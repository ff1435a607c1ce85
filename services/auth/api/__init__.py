"""HTTP in: the public routes under ``/api/v1`` and the internal one."""

from services.auth.api import accounts, internal, passwords, profiles, sessions
from services.auth.api.state import AuthState

ROUTERS = (
    accounts.router,
    passwords.router,
    sessions.router,
    profiles.router,
    internal.router,
)

__all__ = ["ROUTERS", "AuthState"]
