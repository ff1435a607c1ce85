"""Who acts on another's account, and why."""

from dataclasses import dataclass

from libs.kernel import SessionId, UserId
from services.auth.domain.errors import ReasonInvalidError
from services.auth.domain.profile import visible_text

REASON_CODE_POINTS_MIN = 3
REASON_CODE_POINTS_MAX = 200


@dataclass(frozen=True)
class Actor:
    """A signed-in person who does something to somebody's account.

    Attributes:
        address: IP address as the gateway saw it; empty where it is not known.
    """

    user_id: UserId
    session_id: SessionId
    address: str = ""


@dataclass(frozen=True)
class UserFilter:
    """What administrators look for; None leaves a criterion out.

    Attributes:
        name_key: Beginning of a handle or of a word of a name, from `search_key`.
        handle: Exactly this one.
        status: One of `UserStatus`.
        role: Base or custom.
        is_bot: Bots alone, or people alone.
    """

    name_key: str | None = None
    handle: str | None = None
    status: str | None = None
    role: str | None = None
    is_bot: bool | None = None


def check_reason(reason: str) -> str:
    """Return why something is done, in its stored form.

    Raises:
        ReasonInvalidError: Shorter than 3 or longer than 200 code points, or with
            invisible characters.
    """
    clean = visible_text(reason, REASON_CODE_POINTS_MAX)
    if clean is None or len(clean) < REASON_CODE_POINTS_MIN:
        raise ReasonInvalidError
    return clean
