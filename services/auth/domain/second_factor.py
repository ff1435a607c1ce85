"""What a person proves beside the first factor: codes of an app, keys, spare codes.

One aggregate a user, changed by compare-and-set on its revision: an accepted step of
a code, a spare code and a key's counter are each spent in the change that lets
somebody in, so that of any number of parallel uses one succeeds (MF-1, MF-5).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from libs.kernel import UserId
from services.auth.domain.errors import (
    PasskeyKnownError,
    PasskeyLimitError,
    SecondFactorInvalidError,
    SecondFactorMissingError,
)
from services.auth.domain.passkey import PASSKEYS_PER_USER_MAX, Passkey
from services.auth.domain.user import User

RECOVERY_CODES = 10
TOTP_CANDIDATE_LIFETIME = timedelta(minutes=15)
EVERYONE = "*"


class Factor(StrEnum):
    """What a pending sign-in can be finished with."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True)
class SecondFactorPolicy:
    """Who must have a second factor.

    Attributes:
        roles: Holders of any of these; `EVERYONE` stands for all.
        changed_at: When an administrator made it so; None while it is the setting's.
    """

    roles: frozenset[str] = frozenset()
    changed_at: datetime | None = None

    def requires(self, user: User) -> bool:
        """Tell whether this user must have a second factor."""
        return self.binds(user.roles)

    def binds(self, roles: Iterable[str]) -> bool:
        """Tell whether holders of these roles must have a second factor."""
        return EVERYONE in self.roles or not self.roles.isdisjoint(roles)


@dataclass(frozen=True)
class TotpSeed:
    """The secret shared with an authenticator app (RFC 6238).

    Attributes:
        secret: Base32, 160 bits; clear only in memory, the repository seals it.
        set_at: When it was made.
        last_step: The newest 30-second step that was accepted; no code of it or of
            one before is good again.
    """

    secret: str = field(repr=False)
    set_at: datetime
    last_step: int = 0

    def is_stale(self, at: datetime) -> bool:
        """Tell whether a seed that waits for its first code has waited too long."""
        return at - self.set_at > TOTP_CANDIDATE_LIFETIME


@dataclass(frozen=True)
class SecondFactors:
    """A user's factors beside the first one.

    Attributes:
        revision: Grows by one a change; 0 is that of nothing stored.
        totp: The app's seed once a code of it was seen.
        totp_candidate: One that waits for its first code; proves nothing.
        recovery_hashes: SHA-256 of the spare codes that are left.
        passkeys: Keys, the oldest first.
    """

    user_id: UserId
    revision: int = 0
    totp: TotpSeed | None = None
    totp_candidate: TotpSeed | None = None
    recovery_hashes: tuple[str, ...] = ()
    passkeys: tuple[Passkey, ...] = ()

    @property
    def is_enrolled(self) -> bool:
        """Whether a first factor alone no longer signs this user in."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def opens_alone(self) -> bool:
        """Whether a key of these signs in without anything before it."""
        return any(passkey.opens_alone for passkey in self.passkeys)

    @property
    def offered(self) -> tuple[Factor, ...]:
        """What a pending sign-in can be finished with."""
        if not self.is_enrolled:
            return ()
        offered = [Factor.PASSKEY] if self.passkeys else []
        if self.totp:
            offered.append(Factor.TOTP)
        if self.recovery_hashes:
            offered.append(Factor.RECOVERY_CODE)
        return tuple(offered)

    def with_candidate(self, secret: str, at: datetime) -> "SecondFactors":
        """Return them with a new seed that waits for its first code."""
        return self._changed(totp_candidate=TotpSeed(secret, at))

    def with_totp(self, step: int, spare: Iterable[str]) -> "SecondFactors":
        """Return them with the waiting seed in use, the step of its code spent.

        Args:
            step: Of the code that proved the app has the seed.
            spare: Hashes of spare codes, for who has none yet.
        """
        if self.totp_candidate is None:
            raise SecondFactorInvalidError
        return self._changed(
            totp=replace(self.totp_candidate, last_step=step),
            totp_candidate=None,
            recovery_hashes=self.recovery_hashes or tuple(spare),
        )

    def without_totp(self) -> "SecondFactors":
        """Return them without the app; spare codes go with the last factor."""
        return self._changed(totp=None, totp_candidate=None)

    def after_step(self, step: int) -> "SecondFactors":
        """Return them with a step of the app's code spent.

        Raises:
            SecondFactorInvalidError: It, or a later one, was spent before.
        """
        if self.totp is None or step <= self.totp.last_step:
            raise SecondFactorInvalidError
        return self._changed(totp=replace(self.totp, last_step=step))

    def passkey(self, passkey_id: str) -> Passkey:
        """Return one of the keys.

        Raises:
            SecondFactorMissingError: There is no such key.
        """
        for passkey in self.passkeys:
            if passkey.passkey_id == passkey_id:
                return passkey
        raise SecondFactorMissingError

    def signer(self, credential_id: object) -> Passkey:
        """Return the key that an authenticator says it signed with.

        Raises:
            SecondFactorInvalidError: It is none of this user's.
        """
        for passkey in self.passkeys:
            if passkey.credential_id == credential_id:
                return passkey
        raise SecondFactorInvalidError

    def with_passkey(self, added: Passkey, spare: Iterable[str]) -> "SecondFactors":
        """Return them with one more key; spare codes as for `with_totp`.

        Raises:
            PasskeyKnownError: It is one of them.
            PasskeyLimitError: There are as many as one can have.
        """
        if any(own.credential_id == added.credential_id for own in self.passkeys):
            raise PasskeyKnownError
        if len(self.passkeys) >= PASSKEYS_PER_USER_MAX:
            raise PasskeyLimitError(PASSKEYS_PER_USER_MAX)
        return self._changed(
            passkeys=(*self.passkeys, added),
            recovery_hashes=self.recovery_hashes or tuple(spare),
        )

    def with_passkey_changed(self, changed: Passkey) -> "SecondFactors":
        """Return them with a key used or named anew."""
        passkeys = (
            changed if own.passkey_id == changed.passkey_id else own
            for own in self.passkeys
        )
        return self._changed(passkeys=tuple(passkeys))

    def without_passkey(self, passkey_id: str) -> "SecondFactors":
        """Return them without a key; spare codes go with the last factor.

        Raises:
            SecondFactorMissingError: There is no such key.
        """
        gone = self.passkey(passkey_id)
        left = tuple(own for own in self.passkeys if own is not gone)
        return self._changed(passkeys=left)

    def before(self, moment: datetime) -> "SecondFactors":
        """Return those alone that were set up before a moment."""

        def kept(seed: TotpSeed | None) -> TotpSeed | None:
            return seed if seed is not None and seed.set_at < moment else None

        passkeys = tuple(own for own in self.passkeys if own.created_at < moment)
        totp, candidate = kept(self.totp), kept(self.totp_candidate)
        is_same = (totp, passkeys) == (self.totp, self.passkeys)
        if is_same and candidate == self.totp_candidate:
            return self
        return self._changed(totp=totp, totp_candidate=candidate, passkeys=passkeys)

    def without_any(self) -> "SecondFactors":
        """Return none at all."""
        return self._changed(totp=None, totp_candidate=None, passkeys=())

    def with_recovery_codes(self, hashes: Iterable[str]) -> "SecondFactors":
        """Return them with new spare codes; the old ones are void."""
        return self._changed(recovery_hashes=tuple(hashes))

    def after_recovery_code(self, code_hash: str) -> "SecondFactors":
        """Return them without a spare code.

        Raises:
            SecondFactorInvalidError: There is none like it.
        """
        left = tuple(own for own in self.recovery_hashes if own != code_hash)
        if not self.is_enrolled or len(left) == len(self.recovery_hashes):
            raise SecondFactorInvalidError
        return self._changed(recovery_hashes=left)

    def _changed(self, **fields: Any) -> "SecondFactors":  # noqa: ANN401 - own fields
        changed = replace(self, revision=self.revision + 1, **fields)
        return changed if changed.is_enrolled else replace(changed, recovery_hashes=())
