"""Errors of roles and of what administrators do to others' accounts."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)


class NotPermittedError(ForbiddenError):
    """The caller's roles do not allow it; ``details`` name the permission."""

    def __init__(self, permission: str) -> None:
        super().__init__(
            "not_permitted", "Your roles do not allow this.", permission=permission
        )


class GrantTooHighError(ForbiddenError):
    """A role was to be given, taken or changed that allows more than the caller may."""

    def __init__(self) -> None:
        super().__init__(
            "grant_too_high", "Nobody deals in rights beyond their own (AZ-7)."
        )


class TargetOutranksError(ForbiddenError):
    """The other account may do what the caller may not, or just as much."""

    def __init__(self) -> None:
        super().__init__(
            "target_outranks_you", "This account is not below yours; ask an admin."
        )


class OwnAccountError(ForbiddenError):
    """An administrative act on oneself."""

    def __init__(self) -> None:
        super().__init__("own_account", "Nobody does this to their own account.")


class LastAdminError(ConflictError):
    """The installation would be left without an active admin."""

    def __init__(self) -> None:
        super().__init__(
            "last_admin", "This is the last admin; appoint another one first."
        )


class GuestPromotionError(ConflictError):
    """A guest was to become more than a member, or to get a custom role."""

    def __init__(self) -> None:
        super().__init__(
            "guest_promotion", "A guest becomes a member first, then more."
        )


class RolesInvalidError(InvalidError):
    """Not exactly one base role, a name twice, or one that there is not."""

    def __init__(self, rule: str) -> None:
        super().__init__(
            "roles_invalid",
            "Give one of admin, moderator, member, guest, and existing custom roles.",
            rule=rule,
        )


class RoleNameInvalidError(InvalidError):
    """The name of a custom role breaks the pattern or is a base role's."""

    def __init__(self) -> None:
        super().__init__(
            "role_name_invalid",
            "A role's name has 3 to 32 of a-z, 0-9 and '-', and is no base role's.",
        )


class RoleMissingError(NotFoundError):
    """There is no such custom role."""

    def __init__(self) -> None:
        super().__init__("role_not_found", "There is no such role.")


class RoleInUseError(ConflictError):
    """A custom role that somebody has is not deleted."""

    def __init__(self) -> None:
        super().__init__("role_in_use", "Somebody has this role; take it away first.")


class RoleLimitError(ConflictError):
    """There are as many custom roles as there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__("role_limit", "There are too many roles.", limit=limit)


class ReasonInvalidError(InvalidError):
    """The reason of an act is empty, too long or holds invisible characters."""

    def __init__(self) -> None:
        super().__init__("reason_invalid", "A reason has 3 to 200 visible characters.")


class PasswordMissingError(ConflictError):
    """An account that signs in without a password has none to be voided."""

    def __init__(self) -> None:
        super().__init__("password_missing", "This account has no password.")


class StatusRefusedError(ConflictError):
    """No way leads from the account's status to the one asked for."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__(
            "status_refused",
            "The account's status does not allow this.",
            before=str(before),
            after=str(after),
        )


class BotMissingError(NotFoundError):
    """There is no such bot; a person is none."""

    def __init__(self) -> None:
        super().__init__("bot_not_found", "There is no such bot.")
