"""Where an account stands, and which ways lead from one status to another."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.auth.domain.errors import StatusRefusedError


class UserStatus(StrEnum):
    """Where an account stands; only an active one signs in.

    A deletion that waits for its grace time is no status: an account may be suspended
    and about to be deleted.
    """

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


TRANSITIONS: Final[Mapping[UserStatus, frozenset[UserStatus]]] = MappingProxyType(
    {
        UserStatus.PENDING: frozenset({UserStatus.ACTIVE, UserStatus.DELETED}),
        UserStatus.ACTIVE: frozenset(
            {UserStatus.SUSPENDED, UserStatus.DEACTIVATED, UserStatus.DELETED}
        ),
        UserStatus.SUSPENDED: frozenset(
            {UserStatus.ACTIVE, UserStatus.DEACTIVATED, UserStatus.DELETED}
        ),
        UserStatus.DEACTIVATED: frozenset({UserStatus.ACTIVE, UserStatus.DELETED}),
        UserStatus.DELETED: frozenset(),
    }
)
"""From each status, those it may become; nothing leads back from ``deleted``."""


def check_transition(before: UserStatus, after: UserStatus) -> UserStatus:
    """Return the status after, if it may follow the one before.

    Raises:
        StatusRefusedError: No way leads there.
    """
    if after not in TRANSITIONS[before]:
        raise StatusRefusedError(before, after)
    return after
