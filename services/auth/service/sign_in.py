"""Signing in with address and password."""

from dataclasses import dataclass

import structlog

from libs.events import EventBus, Transaction
from libs.events.catalog import SessionStarted
from libs.kernel import AppError, Clock, SessionId, UserId, new_id
from services.auth.domain import (
    SESSION_ABSOLUTE,
    SESSIONS_PER_USER_MAX,
    CredentialsInvalidError,
    EmailAddress,
    EmailInvalidError,
    RevokeReason,
    Session,
    User,
    UserStatus,
    clean_device_name,
)
from services.auth.ports import (
    CredentialRepository,
    LoginThrottle,
    SessionRepository,
    UserRepository,
)
from services.auth.service.passwords import PasswordHasher
from services.auth.service.sessions import SessionControl
from services.auth.service.signed_in import SignedIn
from services.auth.service.tokens import AccessTokens, RefreshTokens

_NOBODY = UserId("")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SignIn:
    """The use case that starts a session."""

    bus: EventBus
    users: UserRepository
    credentials: CredentialRepository
    sessions: SessionRepository
    control: SessionControl
    hasher: PasswordHasher
    throttle: LoginThrottle
    access: AccessTokens
    refresh_tokens: RefreshTokens
    clock: Clock

    async def login(
        self,
        *,
        email: str,
        password: str,
        device_name: str,
        client_address: str,
        use_cookie: bool,
    ) -> SignedIn:
        """Check a password and start a session.

        Args:
            email: As typed.
            password: As typed, any length.
            device_name: As the client calls itself; cut and cleaned, never refused.
            client_address: The client's IP address, as the gateway saw it.
            use_cookie: Whether the refresh token goes into the browser's cookie.

        Raises:
            CredentialsInvalidError: Whatever is wrong: address, password or status.
            PasswordInvalidError: The password is too long to be anyone's.
            LoginThrottledError: Too many failures.
            UnavailableError: Hashing is overloaded, or a store does not answer.

        Emits: session.started; session.revoked for the oldest beyond 20.
        """
        try:
            address = EmailAddress.parse(email)
        except EmailInvalidError:
            raise CredentialsInvalidError from None
        attempt = await self.throttle.begin(address, client_address)
        try:
            user = await self._authenticate(address, password)
        except CredentialsInvalidError:
            _log.warning("sign_in_failed")
            await attempt.failed()
            raise
        except AppError:
            await attempt.withdraw()
            raise
        await attempt.succeeded()
        name = clean_device_name(device_name)
        signed_in = await self._start(user, name, use_cookie=use_cookie)
        _log.info("signed_in", user_id=user.user_id, session_id=signed_in.session_id)
        return signed_in

    async def _authenticate(self, address: EmailAddress, password: str) -> User:
        user = await self.users.find_by_email(address, None)
        # The same look-ups and the same hash in every case (EN-2).
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
        return user

    async def _start(
        self, user: User, device_name: str, *, use_cookie: bool
    ) -> SignedIn:
        now = self.clock.now()
        session_id = SessionId(new_id())
        token = self.refresh_tokens.root(session_id)
        started = Session(
            session_id=session_id,
            user_id=user.user_id,
            device_name=device_name,
            created_at=now,
            last_used_at=now,
            expires_at=now + SESSION_ABSOLUTE,
            token_hash=token.hash,
            token_key_id=token.key_id,
            is_cookie=use_cookie,
        )

        async def store(transaction: Transaction) -> list[Session]:
            crowded_out = await self._crowded_out(user.user_id, transaction)
            await self.sessions.add(started, transaction.session)
            transaction.publish(
                SessionStarted(
                    user_id=user.user_id,
                    session_id=session_id,
                    device_name=device_name,
                )
            )
            return crowded_out

        await self.control.announce(await self.bus.run_transaction(store))
        return SignedIn.issue(self.access, user, started, token)

    async def _crowded_out(
        self, user_id: UserId, transaction: Transaction
    ) -> list[Session]:
        surplus = await self.sessions.oldest_live(
            user_id,
            at=self.clock.now(),
            keep=SESSIONS_PER_USER_MAX - 1,
            session=transaction.session,
        )
        ended = []
        for session in surplus:
            ended += await self.control.end_in(
                transaction, session, RevokeReason.REVOKED
            )
        return ended
