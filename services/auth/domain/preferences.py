"""How somebody wants Parley to look and behave, whatever client they use.

What somebody is told of, and when, belongs to notification and has its own document
there; what a conversation alone is about (mutes, drafts) belongs to chat.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from services.auth.domain.errors import ClientSettingsInvalidError

CLIENT_SETTINGS_MAX: Final = 64
CLIENT_SETTING_CODE_POINTS_MAX: Final = 512
CLIENT_SETTINGS_BYTES_MAX: Final = 8_192
CLIENT_SETTING_INTEGER_MAX: Final = 2**53 - 1
"""The greatest that every JSON reader keeps exactly (RFC 8259, section 6)."""

CLIENT_SETTING_NAME: Final = r"^[a-z][a-z0-9_.-]{0,63}$"
_NAME = re.compile(CLIENT_SETTING_NAME)

ClientSetting: TypeAlias = bool | int | str


class Theme(StrEnum):
    """Colours; SYSTEM follows the device."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"
    HIGH_CONTRAST = "high_contrast"


class MessageDensity(StrEnum):
    """How much room a message takes."""

    COMFORTABLE = "comfortable"
    COMPACT = "compact"


class ClockFormat(StrEnum):
    """How times are written; LOCALE as the language does."""

    LOCALE = "locale"
    TWELVE_HOURS = "12h"
    TWENTY_FOUR_HOURS = "24h"


@dataclass(frozen=True)
class Preferences:
    """One person's choices; the defaults hold until they choose.

    Attributes:
        revision: Grows by one a change; 0 while nothing was ever chosen.
        client_settings: What clients keep for themselves, by name: small values that
            nothing here understands.
    """

    revision: int = 0
    theme: Theme = Theme.SYSTEM
    message_density: MessageDensity = MessageDensity.COMFORTABLE
    clock_format: ClockFormat = ClockFormat.LOCALE
    has_reduced_motion: bool = False
    sends_with_enter: bool = True
    client_settings: Mapping[str, ClientSetting] = field(default_factory=dict)

    def merged(self, changes: Mapping[str, Any]) -> "Preferences":
        """Return the choices after a merge patch (RFC 7396).

        Args:
            changes: By field; None brings a default back, and within
                `client_settings` takes a name away.

        Returns:
            The next revision, or these where nothing changes.

        Raises:
            ClientSettingsInvalidError: Too many, too large, or a name or value that
                is none.
        """
        defaults = Preferences()
        fields = {
            name: getattr(defaults, name) if value is None else value
            for name, value in changes.items()
        }
        if changes.get("client_settings") is not None:
            fields["client_settings"] = self._merged_settings(fields["client_settings"])
        changed = replace(self, **fields)
        if changed == self:
            return self
        return replace(changed, revision=self.revision + 1)

    def _merged_settings(
        self, changes: Mapping[str, ClientSetting | None]
    ) -> dict[str, ClientSetting]:
        both = {**self.client_settings, **changes}
        kept = {name: value for name, value in both.items() if value is not None}
        check_client_settings(kept)
        return dict(sorted(kept.items()))


def check_client_settings(settings: Mapping[str, ClientSetting]) -> None:
    """Accept what clients keep.

    Raises:
        ClientSettingsInvalidError: More than 64, more than 8 KiB of JSON, a name that
            breaks the pattern, a text beyond 512 code points or a number beyond 2^53.
    """
    if len(settings) > CLIENT_SETTINGS_MAX:
        raise ClientSettingsInvalidError("too_many")
    for name, value in settings.items():
        if _NAME.fullmatch(name) is None:
            raise ClientSettingsInvalidError("name")
        if not _is_small(value):
            raise ClientSettingsInvalidError("value")
    if len(json.dumps(settings).encode()) > CLIENT_SETTINGS_BYTES_MAX:
        raise ClientSettingsInvalidError("too_large")


def _is_small(value: ClientSetting) -> bool:
    if isinstance(value, str):
        return len(value) <= CLIENT_SETTING_CODE_POINTS_MAX
    return abs(value) <= CLIENT_SETTING_INTEGER_MAX
