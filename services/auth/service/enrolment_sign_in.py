"""Signing in where a second factor is required and none is there yet (MF-3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from libs.events import EventBus, Transaction
from services.auth.domain import (
    AuthMethod,
    PendingSignIn,
)
from services.auth.domain.errors import PendingSignInInvalidError
from services.auth.ports import UserRepository
from services.auth.service.entrance import Entrance, Started
from services.auth.service.passkey_verifier import Credential
from services.auth.service.passkeys import Passkeys
from services.auth.service.second_factor_sign_in import SecondFactorSignIn
from services.auth.service.second_factors import SecondFactorSettings, TotpOffer
from services.auth.service.signed_in import SignedIn


@dataclass(frozen=True)
class EnrolledSignIn:
    """The session, and the recovery codes that are shown this once."""

    signed_in: SignedIn
    recovery_codes: tuple[str, ...]


@dataclass(frozen=True)
class EnrolmentSignIn:
    """Use cases of a pending sign-in that is finished by enrolling."""

    bus: EventBus
    users: UserRepository
    sign_in: SecondFactorSignIn
    settings: SecondFactorSettings
    passkeys: Passkeys
    entrance: Entrance

    async def offer_totp(self, pending_token: str, *, is_web_client: bool) -> TotpOffer:
        """Make a seed for who signs in; see `SecondFactorSettings.offer_totp`.

        Raises:
            PendingSignInInvalidError: Not open, or of somebody who has a factor: who
                only knows a password never adds another one.
            OriginRefusedError: The sign-in is a browser's, the request is not.
        """
        waiting = await self.sign_in.look(pending_token, is_web_client=is_web_client)
        _check_enrolment(waiting)

        async def offer(tx: Transaction) -> TotpOffer:
            await self._check_without_factor(waiting, tx)
            return await self.settings.offer_totp_in(tx, waiting.user_id)

        return await self.bus.run_transaction(offer)

    async def confirm_totp(
        self, pending_token: str, code: str, *, is_web_client: bool
    ) -> EnrolledSignIn:
        """Put the seed to use and start the session; the user's others end.

        Raises:
            PendingSignInInvalidError: See `offer_totp`; or five wrong codes.
            OriginRefusedError: See `offer_totp`.
            SecondFactorInvalidError: Not a code of the seed that was offered.

        Emits: account.mfa_changed, session.started, session.revoked.
        """
        waiting = await self._counted(pending_token, is_web_client=is_web_client)

        async def enrol(tx: Transaction) -> tuple[str, ...]:
            return await self.settings.confirm_totp_in(tx, waiting.user_id, code)

        return await self._finish(waiting, AuthMethod.ONE_TIME_CODE, enrol)

    async def offer_passkey(
        self, pending_token: str, *, is_web_client: bool
    ) -> dict[str, Any]:
        """Begin to register a passkey of who signs in; see `Passkeys.offer`.

        Raises:
            PendingSignInInvalidError: See `offer_totp`.
            OriginRefusedError: See `offer_totp`.
        """
        waiting = await self.sign_in.look(pending_token, is_web_client=is_web_client)
        _check_enrolment(waiting)
        return await self.passkeys.offer_to(waiting.user_id, waiting.token_hash)

    async def add_passkey(
        self,
        pending_token: str,
        name: str,
        credential: Credential,
        *,
        is_web_client: bool,
    ) -> EnrolledSignIn:
        """Keep a key and start the session; the user's others end.

        Raises:
            PendingSignInInvalidError: See `offer_totp`; or five useless keys.
            OriginRefusedError: See `offer_totp`.
            PasskeyInvalidError: It does not answer what this sign-in began.
            PasskeyKnownError: It is somebody's already.

        Emits: account.mfa_changed, session.started, session.revoked.
        """
        waiting = await self._counted(pending_token, is_web_client=is_web_client)
        passkey = await self.passkeys.made(waiting.token_hash, name, credential)

        async def enrol(tx: Transaction) -> tuple[str, ...]:
            return await self.passkeys.add_in(tx, waiting.user_id, passkey)

        return await self._finish(waiting, AuthMethod.PASSKEY, enrol)

    async def _counted(
        self, pending_token: str, *, is_web_client: bool
    ) -> PendingSignIn:
        waiting = await self.sign_in.count_try(
            pending_token, is_web_client=is_web_client
        )
        _check_enrolment(waiting)
        return waiting

    async def _finish(
        self,
        waiting: PendingSignIn,
        method: AuthMethod,
        enrol: Callable[[Transaction], Awaitable[tuple[str, ...]]],
    ) -> EnrolledSignIn:
        async def enter(tx: Transaction) -> tuple[Started, tuple[str, ...]]:
            user = await self.users.get(waiting.user_id, tx.session)
            if user is None or not user.may_sign_in:
                raise PendingSignInInvalidError
            await self._check_without_factor(waiting, tx)
            codes = await enrol(tx)
            await self.sign_in.take_in(waiting, tx)
            methods = (*waiting.methods, method)
            started = await self.entrance.start_in(tx, user, waiting.device, methods)
            others = await self.settings.end_others_in(
                tx, user.user_id, started.signed_in.session_id
            )
            return replace(started, ended=started.ended + others), codes

        started, codes = await self.bus.run_transaction(enter)
        return EnrolledSignIn(await self.entrance.announce(started), codes)

    async def _check_without_factor(
        self, waiting: PendingSignIn, tx: Transaction
    ) -> None:
        # Somebody may have enrolled since the first step: who only knows the password
        # must not put an app of their own in the place of the owner's.
        own = await self.settings.factors.get(waiting.user_id, tx.session)
        if own.is_enrolled:
            raise PendingSignInInvalidError


def _check_enrolment(waiting: PendingSignIn) -> None:
    if not waiting.is_enrolment:
        raise PendingSignInInvalidError
