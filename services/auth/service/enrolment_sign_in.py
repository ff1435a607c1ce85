"""Signing in where a second factor is required and none is there yet (MF-3)."""

from dataclasses import dataclass, replace

from libs.events import EventBus, Transaction
from services.auth.domain import (
    AuthMethod,
    PendingSignIn,
    PendingSignInInvalidError,
)
from services.auth.ports import UserRepository
from services.auth.service.entrance import Entrance, Started
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
        waiting = await self.sign_in.count_try(
            pending_token, is_web_client=is_web_client
        )
        _check_enrolment(waiting)

        async def enter(tx: Transaction) -> tuple[Started, tuple[str, ...]]:
            user = await self.users.get(waiting.user_id, tx.session)
            if user is None or not user.may_sign_in:
                raise PendingSignInInvalidError
            await self._check_without_factor(waiting, tx)
            codes = await self.settings.confirm_totp_in(tx, user.user_id, code)
            await self.sign_in.take_in(waiting, tx)
            methods = (*waiting.methods, AuthMethod.ONE_TIME_CODE)
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
