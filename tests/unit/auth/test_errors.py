"""Codes of errors are part of the API: this list changes with a changelog entry."""

import inspect

from libs.kernel import AppError, ErrorKind
from services.auth.domain import errors

ARGUMENTS = {
    "ProviderTokenInvalidError": ("nonce",),
    "PersonalTokenLimitError": (50,),
    "PersonalTokenExpiryError": (365,),
    "ClientSettingsInvalidError": ("name",),
    "PreferencesChangedError": (3,),
    "PasskeyLimitError": (20,),
    "PasswordInvalidError": ("too_short", 15),
    "HandleInvalidError": ("pattern",),
    "AttemptsThrottledError": (2.0,),
    "LoginThrottledError": (2.0,),
    "NotPermittedError": ("users.read",),
    "RolesInvalidError": ("unknown",),
    "RoleLimitError": (100,),
    "StatusRefusedError": ("pending", "suspended"),
}


def test_codes_and_kinds_are_stable():
    """Every error of auth with its code and what it maps to."""
    made = [
        error(*ARGUMENTS.get(name, ()))
        for name, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, AppError) and error.__module__.startswith(errors.__name__)
    ]
    assert {error.code: error.kind for error in made} == {
        "avatar_unknown": ErrorKind.INVALID,
        "client_settings_invalid": ErrorKind.INVALID,
        "preferences_changed": ErrorKind.PRECONDITION_FAILED,
        "credentials_invalid": ErrorKind.UNAUTHENTICATED,
        "display_name_invalid": ErrorKind.INVALID,
        "email_domain_refused": ErrorKind.FORBIDDEN,
        "email_invalid": ErrorKind.INVALID,
        "email_taken": ErrorKind.CONFLICT,
        "grant_too_high": ErrorKind.FORBIDDEN,
        "guest_promotion": ErrorKind.CONFLICT,
        "handle_invalid": ErrorKind.INVALID,
        "handle_taken": ErrorKind.CONFLICT,
        "invite_not_found": ErrorKind.NOT_FOUND,
        "invites_refused": ErrorKind.FORBIDDEN,
        "link_invalid": ErrorKind.INVALID,
        "last_admin": ErrorKind.CONFLICT,
        "locale_invalid": ErrorKind.INVALID,
        "attempts_throttled": ErrorKind.RATE_LIMITED,
        "login_throttled": ErrorKind.RATE_LIMITED,
        "not_permitted": ErrorKind.FORBIDDEN,
        "origin_refused": ErrorKind.FORBIDDEN,
        "passkey_invalid": ErrorKind.INVALID,
        "passkey_known": ErrorKind.CONFLICT,
        "passkey_limit": ErrorKind.CONFLICT,
        "own_account": ErrorKind.FORBIDDEN,
        "password_invalid": ErrorKind.INVALID,
        "password_missing": ErrorKind.CONFLICT,
        "password_wrong": ErrorKind.FORBIDDEN,
        "pending_sign_in_invalid": ErrorKind.UNAUTHENTICATED,
        "reason_invalid": ErrorKind.INVALID,
        "refresh_token_invalid": ErrorKind.UNAUTHENTICATED,
        "registration_closed": ErrorKind.FORBIDDEN,
        "role_in_use": ErrorKind.CONFLICT,
        "role_limit": ErrorKind.CONFLICT,
        "role_name_invalid": ErrorKind.INVALID,
        "role_not_found": ErrorKind.NOT_FOUND,
        "roles_invalid": ErrorKind.INVALID,
        "second_factor_enforced": ErrorKind.CONFLICT,
        "second_factor_first": ErrorKind.CONFLICT,
        "second_factor_required": ErrorKind.UNAUTHENTICATED,
        "second_factor_invalid": ErrorKind.UNAUTHENTICATED,
        "second_factor_needed": ErrorKind.FORBIDDEN,
        "second_factor_not_found": ErrorKind.NOT_FOUND,
        "session_not_found": ErrorKind.NOT_FOUND,
        "status_refused": ErrorKind.CONFLICT,
        "status_text_invalid": ErrorKind.INVALID,
        "step_up_required": ErrorKind.FORBIDDEN,
        "target_outranks_you": ErrorKind.FORBIDDEN,
        "time_zone_invalid": ErrorKind.INVALID,
        "insufficient_scope": ErrorKind.FORBIDDEN,
        "scopes_invalid": ErrorKind.INVALID,
        "token_expiry_invalid": ErrorKind.INVALID,
        "token_invalid": ErrorKind.UNAUTHENTICATED,
        "token_limit": ErrorKind.CONFLICT,
        "token_not_found": ErrorKind.NOT_FOUND,
        "user_changed": ErrorKind.CONFLICT,
        "user_not_found": ErrorKind.NOT_FOUND,
        "identity_not_found": ErrorKind.NOT_FOUND,
        "identity_not_linked": ErrorKind.FORBIDDEN,
        "identity_taken": ErrorKind.CONFLICT,
        "identity_unverified": ErrorKind.FORBIDDEN,
        "last_way_in": ErrorKind.CONFLICT,
        "logout_token_invalid": ErrorKind.INVALID,
        "provider_not_found": ErrorKind.NOT_FOUND,
        "provider_refused": ErrorKind.UNAUTHENTICATED,
        "provider_sign_in_invalid": ErrorKind.UNAUTHENTICATED,
        "provider_token_invalid": ErrorKind.UNAUTHENTICATED,
        "provider_unavailable": ErrorKind.UNAVAILABLE,
        "redirect_invalid": ErrorKind.INVALID,
        "verification_token_invalid": ErrorKind.INVALID,
    }
