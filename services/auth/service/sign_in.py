"""Signing in with address and password."""

from dataclasses import dataclass, field

import structlog

from libs.chassis.audit import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
)
from libs.events import Transaction
from libs.kernel import UserId
from services.auth.domain import (
    PASSWORD_CODE_POINTS_MIN,
    AuthMethod,
    ClientDevice,
    EmailAddress,
    Guess,
    GuessPurpose,
    User,
    UserStatus,
)
from services.auth.domain.errors import (
    CredentialsInvalidError,
    EmailInvalidError,
)
from services.auth.ports import (
    CredentialRepository,
    GuessThrottle,
    UserRepository,
)
from services.auth.service.entrance import Entered, Entrance
from services.auth.service.guesses import counted
from services.auth.service.late_success import LateSuccess
from services.auth.service.passwords import PasswordHasher

_NOBODY = UserId("")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Proved:
    """Whose password was right.

    Attributes:
        stored: The hash that it was checked against.
        wrong_before: How many were wrong before it.
    """

    user: User
    password: str = field(repr=False)
    stored: str = field(repr=False)
    wrong_before: int


@dataclass(frozen=True)
class SignIn:
    """The use case that turns a password into a session."""

    users: UserRepository
    credentials: CredentialRepository
    entrance: Entrance
    hasher: PasswordHasher
    throttle: GuessThrottle
    late_success: LateSuccess
    audit: AuditTrail

    async def login(
        self, *, email: str, password: str, device: ClientDevice
    ) -> Entered:
        """Check a password and start a session, or ask for a second factor.

        Args:
            email: As typed.
            password: As typed, any length.
            device: Where it comes from; its name is cut and cleaned, never refused.

        Raises:
            CredentialsInvalidError: Whatever is wrong: address, password or status.
            PasswordInvalidError: The password is too long to be anyone's.
            LoginThrottledError: Too many failures.
            UnavailableError: Hashing is overloaded, or a store does not answer.

        Emits: session.started; session.revoked for the oldest beyond 20;
            account.password_guessed for one after wrong ones, from a new device.
        """
        try:
            address = EmailAddress.parse(email)
        except EmailInvalidError:
            raise CredentialsInvalidError from None
        guess = Guess(GuessPurpose.PASSWORD, address.key, device.address)
        user = None
        try:
            async with counted(
                self.throttle, guess, wrong=CredentialsInvalidError
            ) as attempt:
                user = await self.users.find_by_email(address, None)
                known, stored = await self._check(user, password)
            proved = _Proved(known, password, stored, attempt.wrong_before)
            return await self._enter(proved, device)
        except CredentialsInvalidError:
            _log.warning("sign_in_failed")
            await self._record_failure(user, device)
            raise

    async def _enter(self, proved: _Proved, device: ClientDevice) -> Entered:
        user, password = proved.user, proved.password

        async def check(transaction: Transaction) -> None:
            # It may have been changed while the hash was computed (PW-7).
            pinned = await self.credentials.pin(user.user_id, transaction.session)
            is_same = pinned == proved.stored
            if not is_same and not await self.hasher.verify(password, pinned):
                raise CredentialsInvalidError
            await self.late_success.note_in(
                transaction, user, device, proved.wrong_before
            )

        # One from when a second factor was required, shorter than one alone may be.
        is_weak = len(password) < PASSWORD_CODE_POINTS_MIN
        methods = (AuthMethod.PASSWORD,)
        return await self.entrance.enter(user, device, methods, check, is_weak=is_weak)

    async def _check(self, user: User | None, password: str) -> tuple[User, str]:
        # The same look-up and the same hash in every case (EN-2).
        user_id = user.user_id if user else _NOBODY
        stored = await self.credentials.get(user_id, None)
        is_match = await self.hasher.verify(password, stored)
        if user is None or stored is None or not is_match:
            raise CredentialsInvalidError
        if user.status is not UserStatus.ACTIVE:
            raise CredentialsInvalidError
        if self.hasher.needs_rehash(stored):
            renewed = await self.hasher.hash(password)
            await self.credentials.replace(user.user_id, stored, renewed)
            _log.info("password_rehashed", user_id=user.user_id)
        return user, stored

    async def _record_failure(self, user: User | None, device: ClientDevice) -> None:
        entry = AuditEntry(
            action="session.refused",
            actor_id=user.user_id if user else ANONYMOUS_ACTOR,
            source=device.address,
            result=AuditResult.FAILURE,
            reason="credentials_invalid",
        )
        await self.audit.record(entry, None)
