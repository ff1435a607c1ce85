"""HTTP in: the public routes under ``/api/v1`` and the internal one."""

import re

from services.auth.api import (
    accounts,
    administration,
    bots,
    deletion,
    identities,
    internal,
    invites,
    own_export,
    passkeys,
    passwords,
    personal_tokens,
    policies,
    preferences,
    profiles,
    providers,
    roles,
    second_factors,
    sessions,
)
from services.auth.api.state import AdministrationState, AuthState, DeletionState

ROUTERS = (
    accounts.router,
    accounts.keys_router,
    passwords.router,
    passwords.own_router,
    invites.router,
    sessions.router,
    providers.router,
    providers.logout_router,
    identities.router,
    second_factors.router,
    passkeys.router,
    personal_tokens.router,
    profiles.router,
    preferences.router,
    own_export.router,
    administration.router,
    deletion.router,
    deletion.admin_router,
    roles.router,
    bots.router,
    policies.router,
    internal.router,
    personal_tokens.internal,
)

FORMS = re.compile(r"/api/v1/auth/backchannel-logout/[^/]+")
"""Providers send their logout token in a form (Back-Channel Logout 1.0)."""

__all__ = ["FORMS", "ROUTERS", "AdministrationState", "AuthState", "DeletionState"]
