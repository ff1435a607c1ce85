"""Every way into auth and what it asks for: the table that AZ-1 is tested by.

A route that has no row here fails `tests/unit/auth/test_permission_matrix.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from services.auth.domain.permissions import Permission


class Access(StrEnum):
    """What a way in asks for where it asks for no permission.

    ANYONE routes have a proof of their own (a password, a token from a mail) or tell
    what is public.
    """

    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    SERVICE = "service"


Rule: TypeAlias = Access | Permission

OPERATIONS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "POST /api/v1/auth/register": Access.ANYONE,
        "POST /api/v1/auth/verify": Access.ANYONE,
        "POST /api/v1/auth/verification": Access.ANYONE,
        "POST /api/v1/auth/password-strength": Access.ANYONE,
        "POST /api/v1/auth/login": Access.ANYONE,
        "POST /api/v1/auth/refresh": Access.ANYONE,
        "POST /api/v1/auth/logout": Access.ANYONE,
        "GET /api/v1/auth/jwks.json": Access.ANYONE,
        "GET /api/v1/auth/oidc": Access.ANYONE,
        "GET /api/v1/auth/oidc/{provider_id}/start": Access.ANYONE,
        "GET /api/v1/auth/oidc/{provider_id}/callback": Access.ANYONE,
        "POST /api/v1/auth/oidc/exchange": Access.ANYONE,
        "POST /api/v1/auth/backchannel-logout/{provider_id}": Access.ANYONE,
        "GET /api/v1/me/identities": Access.SIGNED_IN,
        "POST /api/v1/me/identities": Access.SIGNED_IN,
        "DELETE /api/v1/me/identities/{provider_id}": Access.SIGNED_IN,
        "POST /api/v1/auth/passkey/options": Access.ANYONE,
        "POST /api/v1/auth/passkey/login": Access.ANYONE,
        "POST /api/v1/auth/mfa/verify": Access.ANYONE,
        "POST /api/v1/auth/mfa/totp": Access.ANYONE,
        "POST /api/v1/auth/mfa/verify/options": Access.ANYONE,
        "POST /api/v1/auth/mfa/totp/confirm": Access.ANYONE,
        "POST /api/v1/auth/mfa/passkeys/options": Access.ANYONE,
        "POST /api/v1/auth/mfa/passkeys": Access.ANYONE,
        "POST /api/v1/auth/step-up": Access.SIGNED_IN,
        "POST /api/v1/auth/step-up/options": Access.SIGNED_IN,
        "GET /api/v1/me/mfa": Access.SIGNED_IN,
        "POST /api/v1/me/mfa/totp": Access.SIGNED_IN,
        "POST /api/v1/me/mfa/totp/confirm": Access.SIGNED_IN,
        "DELETE /api/v1/me/mfa/totp": Access.SIGNED_IN,
        "POST /api/v1/me/mfa/recovery-codes": Access.SIGNED_IN,
        "POST /api/v1/me/mfa/passkeys/options": Access.SIGNED_IN,
        "POST /api/v1/me/mfa/passkeys": Access.SIGNED_IN,
        "PATCH /api/v1/me/mfa/passkeys/{passkey_id}": Access.SIGNED_IN,
        "DELETE /api/v1/me/mfa/passkeys/{passkey_id}": Access.SIGNED_IN,
        "POST /api/v1/auth/forgot": Access.ANYONE,
        "POST /api/v1/auth/reset": Access.ANYONE,
        "POST /api/v1/auth/email": Access.ANYONE,
        "POST /api/v1/auth/email/stop": Access.ANYONE,
        "POST /api/v1/auth/invite": Access.ANYONE,
        "PUT /api/v1/me/password": Access.SIGNED_IN,
        "PUT /api/v1/me/email": Access.SIGNED_IN,
        "POST /api/v1/invites": Access.SIGNED_IN,
        "GET /api/v1/invites": Access.SIGNED_IN,
        "DELETE /api/v1/invites/{invite_id}": Access.SIGNED_IN,
        "POST /api/v1/auth/token": Access.ANYONE,
        "GET /api/v1/me/tokens": Access.SIGNED_IN,
        "POST /api/v1/me/tokens": Access.SIGNED_IN,
        "DELETE /api/v1/me/tokens/{token_id}": Access.SIGNED_IN,
        "GET /api/v1/me": Access.SIGNED_IN,
        "PATCH /api/v1/me": Access.SIGNED_IN,
        "PUT /api/v1/me/handle": Access.SIGNED_IN,
        "PUT /api/v1/me/avatar": Access.SIGNED_IN,
        "DELETE /api/v1/me/avatar": Access.SIGNED_IN,
        "GET /api/v1/me/preferences": Access.SIGNED_IN,
        "PATCH /api/v1/me/preferences": Access.SIGNED_IN,
        "GET /api/v1/me/export/auth": Access.SIGNED_IN,
        "GET /api/v1/me/sessions": Access.SIGNED_IN,
        "DELETE /api/v1/me/sessions": Access.SIGNED_IN,
        "DELETE /api/v1/me/sessions/{session_id}": Access.SIGNED_IN,
        "GET /api/v1/users": Permission.SEARCH_PEOPLE,
        "GET /api/v1/users/{user_id}": Access.SIGNED_IN,
        "GET /api/v1/admin/users": Permission.READ_USERS,
        "POST /api/v1/admin/users/lookup": Permission.READ_USERS,
        "GET /api/v1/admin/users/{user_id}": Permission.READ_USERS,
        "POST /api/v1/admin/users/{user_id}/suspend": Permission.SUSPEND_USERS,
        "POST /api/v1/admin/users/{user_id}/reinstate": Permission.SUSPEND_USERS,
        "POST /api/v1/admin/users/{user_id}/deactivate": Permission.DEACTIVATE_USERS,
        "POST /api/v1/admin/users/{user_id}/reactivate": Permission.DEACTIVATE_USERS,
        "GET /api/v1/me/deletion": Access.SIGNED_IN,
        "POST /api/v1/me/deletion": Access.SIGNED_IN,
        "POST /api/v1/admin/users/{user_id}/delete": Permission.DELETE_USERS,
        "POST /api/v1/admin/users/{user_id}/cancel-deletion": Permission.DELETE_USERS,
        "GET /api/v1/admin/erasures": Permission.DELETE_USERS,
        "PUT /api/v1/admin/users/{user_id}/roles": Permission.CHANGE_ROLES,
        "POST /api/v1/admin/users/{user_id}/password-reset": (
            Permission.RESET_PASSWORDS
        ),
        "POST /api/v1/admin/users/{user_id}/mfa/reset": Permission.RESET_FACTORS,
        "GET /api/v1/admin/users/{user_id}/sessions": Permission.READ_SESSIONS,
        "POST /api/v1/admin/users/{user_id}/sessions/end": Permission.END_SESSIONS,
        "GET /api/v1/admin/users/{user_id}/audit": Permission.READ_AUDIT,
        "GET /api/v1/admin/second-factor-policy": Permission.MANAGE_POLICY,
        "PUT /api/v1/admin/second-factor-policy": Permission.MANAGE_POLICY,
        "POST /api/v1/admin/bots": Permission.MANAGE_BOTS,
        "GET /api/v1/admin/bots": Permission.MANAGE_BOTS,
        "GET /api/v1/admin/bots/{bot_id}": Permission.MANAGE_BOTS,
        "POST /api/v1/admin/bots/{bot_id}/tokens": Permission.MANAGE_BOTS,
        "GET /api/v1/admin/bots/{bot_id}/tokens": Permission.MANAGE_BOTS,
        "POST /api/v1/admin/bots/{bot_id}/tokens/{token_id}/revoke": (
            Permission.MANAGE_BOTS
        ),
        "GET /api/v1/admin/roles": Permission.READ_USERS,
        "PUT /api/v1/admin/roles/{name}": Permission.MANAGE_ROLES,
        "POST /api/v1/admin/roles/{name}/delete": Permission.MANAGE_ROLES,
        "GET /internal/sessions": Access.SERVICE,
        "POST /internal/personal-tokens": Access.SERVICE,
    }
)
"""Method and path template of every route."""
