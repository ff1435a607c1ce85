"""Links by which somebody comes into a conversation."""

from datetime import datetime, timedelta

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.conversation import Role
from services.chat.domain.errors import DraftInvalidError
from services.chat.domain.limits import Limits

TOKEN_BYTES = 32
"""Random bytes of a token: 256 bit."""

SHORTEST_SECONDS = 60
USES_MAX = 1_000


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """A link; whoever has its token comes in.

    Attributes:
        token_hash: SHA-256 of the token, which is shown once and kept nowhere.
        role: Of whoever comes in by it.
        uses_max: None: as many as there is room for.
    """

    invite_id: str
    conversation_id: ConversationId
    token_hash: bytes
    role: Role
    created_by: UserId
    created_at: datetime
    expires_at: datetime
    uses_max: int | None
    uses: int = 0

    def is_open(self, now: datetime) -> bool:
        """Tell whether somebody may still come in by it."""
        is_used_up = self.uses_max is not None and self.uses >= self.uses_max
        return now < self.expires_at and not is_used_up


class InviteTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a new link is to allow.

    Attributes:
        lifetime: From now on.
        uses_max: None: as many as there is room for.
    """

    role: Role
    lifetime: timedelta
    uses_max: int | None


def check_terms(terms: InviteTerms, limits: Limits) -> None:
    """Refuse terms that no link may have.

    Raises:
        DraftInvalidError: ``invite_role_invalid`` for a link that makes owners,
            ``invite_lifetime_invalid`` or ``invite_uses_invalid``.
    """
    if terms.role is Role.OWNER:
        raise DraftInvalidError(
            "invite_role_invalid", "Nobody becomes owner by a link."
        )
    longest = limits.invite_seconds
    if not SHORTEST_SECONDS <= terms.lifetime.total_seconds() <= longest:
        raise DraftInvalidError(
            "invite_lifetime_invalid",
            f"A link lives {SHORTEST_SECONDS} to {longest} seconds.",
            limit=longest,
        )
    if terms.uses_max is not None and not 1 <= terms.uses_max <= USES_MAX:
        raise DraftInvalidError(
            "invite_uses_invalid",
            f"A link has 1 to {USES_MAX} uses.",
            limit=USES_MAX,
        )
