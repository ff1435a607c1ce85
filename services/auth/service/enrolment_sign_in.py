"""Signing in where a second factor is required and none is there yet (MF-3)."""

from dataclasses import dataclass

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
        return await self.bus.run_transaction(
            lambda transaction: self.settings.offer_totp_in(
                transaction, waiting.user_id
            )
        )

    async def confirm_totp(
        self, pending_token: str, code: str, *, is_web_client: bool
    ) -> EnrolledSignIn:
        """Put the seed to use and start the session, both or neither.

        Raises:
            PendingSignInInvalidError: See `offer_totp`; or five wrong codes.
            OriginRefusedError: See `offer_totp`.
            SecondFactorInvalidError: Not a code of the seed that was offered.

        Emits: account.mfa_changed, session.started.
        """
        waiting = await self.sign_in.count_try(
            pending_token, is_web_client=is_web_client
        )
        _check_enrolment(waiting)

        async def enter(tx: Transaction) -> tuple[Started, tuple[str, ...]]:
            user = await self.users.get(waiting.user_id, tx.session)
            if user is None or not user.may_sign_in:
                raise PendingSignInInvalidError
            codes = await self.settings.confirm_totp_in(tx, user.user_id, code)
            await self.sign_in.take_in(waiting, tx)
            methods = (*waiting.methods, AuthMethod.ONE_TIME_CODE)
            started = await self.entrance.start_in(tx, user, waiting.device, methods)
            return started, codes

        started, codes = await self.bus.run_transaction(enter)
        return EnrolledSignIn(await self.entrance.announce(started), codes)


def _check_enrolment(waiting: PendingSignIn) -> None:
    if not waiting.is_enrolment:
        raise PendingSignInInvalidError
