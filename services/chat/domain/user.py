"""What chat keeps of a user: a projection of ``user.*``."""

import msgspec

from libs.kernel import UserId


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or bot as auth last told; auth owns the facts.

    The flags have a revision of their own because events may arrive in any order
    and none but ``user.updated`` carries the whole state.
    """

    user_id: UserId
    display_name: str = ""
    handle: str | None = None
    profile_revision: int = 0
    suspension_revision: int = 0
    is_bot: bool = False
    is_verified: bool = False
    is_suspended: bool = False
    is_deleted: bool = False

    @property
    def is_active(self) -> bool:
        """Whether the user can be brought into a conversation."""
        return self.is_verified and not self.is_suspended and not self.is_deleted
