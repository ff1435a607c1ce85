"""Finishing a sign-in that waits for its second factor (MF-2, MF-3)."""

from dataclasses import dataclass

from libs.events import Transaction
from libs.kernel import Clock
from services.auth.domain import (
    AuthMethod,
    PendingSignIn,
    User,
)
from services.auth.domain.errors import (
    OriginRefusedError,
    PendingSignInInvalidError,
)
from services.auth.ports import PendingSignInRepository
from services.auth.service.entrance import Entrance, Started
from services.auth.service.second_factor_gate import hash_pending_token
from services.auth.service.second_factor_proof import Proof, SecondFactorProofs
from services.auth.service.signed_in import SignedIn


@dataclass(frozen=True)
class SecondFactorSignIn:
    """Use cases that a pending token opens; it opens nothing else."""

    pending: PendingSignInRepository
    proofs: SecondFactorProofs
    entrance: Entrance
    clock: Clock

    async def finish(
        self,
        pending_token: str,
        proof: Proof,
        *,
        client_address: str,
        is_web_client: bool,
    ) -> SignedIn:
        """Start the session that the sign-in was for.

        Args:
            pending_token: Of the first step.
            proof: The second factor.
            client_address: Where the proof comes from.
            is_web_client: Whether the request is provably the web client's own;
                needed where the session goes into the browser's cookie.

        Raises:
            PendingSignInInvalidError: Finished, expired, tried five times or unknown.
            OriginRefusedError: The sign-in is a browser's, the request is not.
            SecondFactorInvalidError: The proof is wrong or spent.
            AttemptsThrottledError: Too many wrong ones of this account.

        Emits: session.started; session.revoked for the oldest beyond 20.
        """
        waiting = await self.count_try(pending_token, is_web_client=is_web_client)

        async def enter(tx: Transaction, user: User, method: AuthMethod) -> Started:
            await self.take_in(waiting, tx)
            methods = (*waiting.methods, method)
            return await self.entrance.start_in(tx, user, waiting.device, methods)

        started = await self.proofs.prove(
            waiting.user_id, proof, enter, client_address=client_address
        )
        return await self.entrance.announce(started)

    async def look(self, pending_token: str, *, is_web_client: bool) -> PendingSignIn:
        """Return a pending sign-in that is open; counts nothing.

        Raises:
            PendingSignInInvalidError: See `finish`.
            OriginRefusedError: See `finish`.
        """
        found = await self.pending.get(hash_pending_token(pending_token))
        if found is None or not found.is_open(self.clock.now()):
            raise PendingSignInInvalidError
        if found.device.has_cookie and not is_web_client:
            raise OriginRefusedError
        return found

    async def count_try(
        self, pending_token: str, *, is_web_client: bool
    ) -> PendingSignIn:
        """Count a try at a pending sign-in before it is looked at; see `look`."""
        found = await self.look(pending_token, is_web_client=is_web_client)
        counted = await self.pending.count_try(found.token_hash, at=self.clock.now())
        if counted is None:
            raise PendingSignInInvalidError
        return counted

    async def take_in(self, waiting: PendingSignIn, transaction: Transaction) -> None:
        """Spend a pending sign-in in the transaction that starts its session.

        Raises:
            PendingSignInInvalidError: Another request was first.
        """
        if not await self.pending.take(waiting.token_hash, transaction.session):
            raise PendingSignInInvalidError
