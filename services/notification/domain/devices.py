"""Devices that take push."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from libs.kernel import UserId

DEVICES_PER_USER_MAX = 50


class Platform(StrEnum):
    """What the device runs."""

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


@dataclass(frozen=True)
class Device:
    """One installation of a client.

    Attributes:
        token: The provider's address of the device; a secret.
        last_seen_at: When the client last registered it.
    """

    device_id: str
    user_id: UserId
    platform: Platform
    name: str
    token: str = field(repr=False)
    created_at: datetime
    last_seen_at: datetime
