"""Bodies of preferences."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from services.auth.domain import (
    CLIENT_SETTING_CODE_POINTS_MAX,
    CLIENT_SETTING_NAME,
    CLIENT_SETTINGS_MAX,
    ClientSetting,
    ClockFormat,
    MessageDensity,
    Preferences,
    Theme,
)
from services.auth.schemas.base import RequestModel, ResponseModel

ThemeName: TypeAlias = Literal["system", "light", "dark", "high_contrast"]
DensityName: TypeAlias = Literal["comfortable", "compact"]
ClockName: TypeAlias = Literal["locale", "12h", "24h"]
SettingName = Annotated[
    str, StringConstraints(max_length=64, pattern=CLIENT_SETTING_NAME)
]
SettingText = Annotated[
    str, StringConstraints(max_length=CLIENT_SETTING_CODE_POINTS_MAX)
]


class PreferencesRequest(RequestModel):
    """Choices to change; what is left out stays, null brings the default back."""

    theme: ThemeName | None = None
    message_density: DensityName | None = None
    clock_format: ClockName | None = None
    has_reduced_motion: bool | None = None
    sends_with_enter: bool | None = None
    client_settings: Annotated[
        dict[SettingName, bool | int | SettingText | None] | None,
        Field(
            max_length=CLIENT_SETTINGS_MAX,
            description="What clients keep for themselves; null takes a name away.",
        ),
    ] = None

    def changes(self) -> dict[str, object]:
        """Return the given fields as the domain has them."""
        given = self.model_dump(exclude_unset=True)
        kinds = {
            "theme": Theme,
            "message_density": MessageDensity,
            "clock_format": ClockFormat,
        }
        return {
            name: kinds[name](value) if name in kinds and value is not None else value
            for name, value in given.items()
        }


class PreferencesResponse(ResponseModel):
    """What the caller chose; the revision is in the ``ETag`` too."""

    revision: int
    theme: ThemeName
    message_density: DensityName
    clock_format: ClockName
    has_reduced_motion: bool
    sends_with_enter: bool
    client_settings: dict[str, ClientSetting]

    @classmethod
    def of(cls, preferences: Preferences) -> "PreferencesResponse":
        """Return the wire form."""
        return cls(
            revision=preferences.revision,
            theme=preferences.theme.value,
            message_density=preferences.message_density.value,
            clock_format=preferences.clock_format.value,
            has_reduced_motion=preferences.has_reduced_motion,
            sends_with_enter=preferences.sends_with_enter,
            client_settings=dict(preferences.client_settings),
        )
