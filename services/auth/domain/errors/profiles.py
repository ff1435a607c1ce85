"""Errors of avatars and preferences."""

from libs.kernel import InvalidError, PreconditionFailedError


class AvatarUnknownError(InvalidError):
    """Not (yet) a checked picture of the caller's; it cannot be told which of it."""

    def __init__(self) -> None:
        super().__init__(
            "avatar_unknown", "There is no picture of yours that is ready by this id."
        )


class ClientSettingsInvalidError(InvalidError):
    """What a client wants to keep is too much; ``details`` name the rule."""

    def __init__(self, rule: str) -> None:
        super().__init__(
            "client_settings_invalid",
            "Up to 64 small values under names of a-z, 0-9, '_', '.' and '-', 8 KiB.",
            rule=rule,
        )


class PreferencesChangedError(PreconditionFailedError):
    """The revision named by ``If-Match`` is not the stored one."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            "preferences_changed",
            "Somebody else changed them; read them again.",
            revision=revision,
        )
