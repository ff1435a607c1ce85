"""Which passwords may be chosen: every way to a new one asks here (PW-2 to PW-5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.auth.domain import (
    PASSWORD_CODE_POINTS_MIN,
    PASSWORD_CODE_POINTS_MIN_WITH_MFA,
    EmailAddress,
    User,
    check_new_password,
    compared_forms,
    personal_words,
)
from services.auth.domain.errors import PasswordInvalidError
from services.auth.service.password_lists import PasswordLists, PasswordStrength

Roles = tuple[str, ...]


@dataclass(frozen=True)
class PasswordOwner:
    """Whose password it is to be, as far as it is known before there is an account."""

    email: EmailAddress | None
    display_name: str
    handle: str | None = None
    roles: Roles = ("member",)

    @classmethod
    def of(cls, user: User) -> "PasswordOwner":
        """Return the owner of an account."""
        return cls(user.email, user.display_name, user.handle, user.roles)

    @property
    def words(self) -> frozenset[str]:
        """What is tried first by who knows the person."""
        return personal_words(self.email, self.display_name, self.handle)


@dataclass(frozen=True)
class PasswordPolicy:
    """The length rule and the blocklist.

    Attributes:
        lists: Frequent passwords and words.
        is_mfa_enforced: Whether these roles always need a second factor, which makes
            a shorter password enough (PW-2).
    """

    lists: PasswordLists
    is_mfa_enforced: Callable[[Roles], Awaitable[bool]]

    async def minimum(self, roles: Roles) -> int:
        """Return the fewest code points for somebody with these roles."""
        if await self.is_mfa_enforced(roles):
            return PASSWORD_CODE_POINTS_MIN_WITH_MFA
        return PASSWORD_CODE_POINTS_MIN

    async def check(self, password: str, owner: PasswordOwner) -> None:
        """Accept a new password.

        Raises:
            PasswordInvalidError: Its rule says why: too_short, too_long, not_text,
                listed or personal.
        """
        minimum = await self.minimum(owner.roles)
        check_new_password(password, minimum=minimum)
        forms = compared_forms(password)
        if forms & owner.words:
            raise PasswordInvalidError("personal")
        if await self.lists.hold_one_of(forms):
            raise PasswordInvalidError("listed")

    async def strength(self, password: str, owner: PasswordOwner) -> PasswordStrength:
        """Estimate a password; whether it may be chosen says `check` alone.

        Raises:
            PasswordInvalidError: It is no text, or too long for any account.
            UnavailableError: Too many wait for an estimate.
        """
        check_new_password(password, minimum=0)
        return await self.lists.strength(password, sorted(owner.words))
