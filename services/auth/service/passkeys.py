"""Registering, naming and removing one's passkeys; signing in with one alone."""

from dataclasses import dataclass, replace
from typing import Any

from libs.events import EventBus, Transaction, WriteConflictError
from libs.kernel import Clock, SessionId, UserId, new_id
from services.auth.domain import (
    AuthMethod,
    CeremonyPurpose,
    ClientDevice,
    Passkey,
    SecondFactors,
    Session,
    User,
    clean_device_name,
)
from services.auth.domain.errors import (
    PasskeyInvalidError,
    SecondFactorInvalidError,
    UserMissingError,
)
from services.auth.ports import SecondFactorRepository, UserRepository
from services.auth.service.ceremonies import Ceremonies
from services.auth.service.entrance import Entrance, Started
from services.auth.service.passkey_verifier import Credential, NewCredential, user_of
from services.auth.service.recovery_codes import hash_recovery_code, new_recovery_codes
from services.auth.service.second_factor_notice import FactorChange
from services.auth.service.second_factor_proof import PasskeyProof, SecondFactorProofs
from services.auth.service.second_factors import SecondFactorSettings
from services.auth.service.signed_in import SignedIn
from services.auth.service.ways_in import WaysIn

_NAMELESS = "Passkey"


@dataclass(frozen=True)
class AddedPasskey:
    """A new key, and the recovery codes that come with a first factor."""

    passkey: Passkey
    recovery_codes: tuple[str, ...]


@dataclass(frozen=True)
class Passkeys:
    """Use cases of passkeys; each change needs a fresh proof (MF-6)."""

    bus: EventBus
    users: UserRepository
    factors: SecondFactorRepository
    ceremonies: Ceremonies
    settings: SecondFactorSettings
    proofs: SecondFactorProofs
    entrance: Entrance
    ways_in: WaysIn
    clock: Clock

    async def offer(self, user_id: UserId, session_id: SessionId) -> dict[str, Any]:
        """Begin a registration; return what the browser asks the authenticator.

        Raises:
            StepUpRequiredError: The caller's last proof is too old.
        """
        await self.settings.step_up.require(user_id, session_id)
        return await self.offer_to(user_id, session_id)

    async def offer_to(self, user_id: UserId, binding: str) -> dict[str, Any]:
        """Begin a registration of a user who has been checked.

        Args:
            user_id: Who registers.
            binding: See `Ceremony.binding`.
        """
        user = await self.users.get(user_id, None)
        if user is None or not user.may_sign_in:
            raise UserMissingError
        own = await self.factors.get(user_id, None)
        return await self.ceremonies.begin_registration(user, own, binding)

    async def add(
        self, user_id: UserId, session_id: SessionId, name: str, credential: Credential
    ) -> AddedPasskey:
        """Keep a key that the authenticator made; every other session ends.

        Raises:
            StepUpRequiredError: The caller's last proof is too old.
            PasskeyInvalidError: It does not answer the registration that was begun.
            PasskeyKnownError: It is somebody's already.
            PasskeyLimitError: The caller has 20.

        Emits: account.mfa_changed, session.revoked.
        """
        await self.settings.step_up.require(user_id, session_id)
        passkey = await self.made(session_id, name, credential)

        async def add(tx: Transaction) -> tuple[tuple[str, ...], list[Session]]:
            await self.settings.step_up.require(user_id, session_id, tx.session)
            codes = await self.add_in(tx, user_id, passkey)
            return codes, await self.settings.end_others_in(tx, user_id, session_id)

        codes, ended = await self.bus.run_transaction(add)
        await self.settings.control.announce(ended)
        return AddedPasskey(passkey, codes)

    async def made(self, binding: str, name: str, credential: Credential) -> Passkey:
        """Return the key that answers a registration; nothing is stored yet.

        Raises:
            PasskeyInvalidError: It does not answer the registration that was begun.
        """
        made = await self._checked(binding, credential)
        return Passkey(
            passkey_id=new_id(),
            credential_id=made.credential_id,
            name=clean_device_name(name) or _NAMELESS,
            public_key=made.public_key,
            sign_count=made.sign_count,
            created_at=self.clock.now(),
            opens_alone=made.opens_alone,
        )

    async def add_in(
        self, tx: Transaction, user_id: UserId, passkey: Passkey
    ) -> tuple[str, ...]:
        """Keep a key in a running transaction; return the codes of a first factor."""
        own = await self.factors.get(user_id, tx.session)
        codes = () if own.recovery_hashes else new_recovery_codes()
        changed = own.with_passkey(passkey, map(hash_recovery_code, codes))
        if not await self.factors.save(changed, tx.session):
            raise WriteConflictError
        change = FactorChange.ADDED
        await self.settings.record_in(tx, user_id, "passkey.enrolled", change)
        return codes

    async def rename(self, user_id: UserId, passkey_id: str, name: str) -> Passkey:
        """Give one of the caller's keys another name.

        Raises:
            SecondFactorMissingError: The caller has no such key.
        """

        async def rename(tx: Transaction) -> Passkey:
            own = await self.factors.get(user_id, tx.session)
            named = replace(
                own.passkey(passkey_id), name=clean_device_name(name) or _NAMELESS
            )
            changed = own.with_passkey_changed(named)
            if not await self.factors.save(changed, tx.session):
                raise WriteConflictError
            return named

        return await self.bus.run_transaction(rename)

    async def remove(
        self, user_id: UserId, session_id: SessionId, passkey_id: str
    ) -> None:
        """Forget a key; every other session ends.

        Raises:
            StepUpRequiredError: The caller's last proof is too old.
            SecondFactorMissingError: The caller has no such key.
            SecondFactorEnforcedError: It is the last factor and one is required.
            LastWayInError: Nothing else signs the caller in.

        Emits: account.mfa_changed, session.revoked.
        """

        def removed(own: SecondFactors) -> SecondFactors:
            return own.without_passkey(passkey_id)

        async def check(tx: Transaction, left: SecondFactors) -> None:
            providers = await self.ways_in.links.providers_of(user_id, tx.session)
            await self.ways_in.check_left(left, len(providers), tx.session)

        await self.settings.remove(
            user_id, session_id, removed, "passkey.removed", check
        )

    async def begin(
        self, purpose: CeremonyPurpose, binding: str, user_id: UserId | None = None
    ) -> dict[str, Any]:
        """Begin a signature; return what the browser asks the authenticator.

        Args:
            purpose: Not a registration.
            binding: See `Ceremony.binding`.
            user_id: Who has to sign; None where the key tells.
        """
        own = await self.factors.get(user_id, None) if user_id else None
        return await self.ceremonies.begin(purpose, binding, own)

    async def sign_in(self, credential: Credential, device: ClientDevice) -> SignedIn:
        """Start a session by a key alone that checked its holder: two factors.

        Raises:
            SecondFactorInvalidError: Whatever is wrong, an unknown key too.

        Emits: session.started; session.revoked for the oldest beyond 20.
        """
        proof = PasskeyProof(credential, CeremonyPurpose.SIGN_IN, binding="")

        async def enter(tx: Transaction, user: User, method: AuthMethod) -> Started:
            return await self.entrance.start_in(tx, user, device, (method,))

        started = await self.proofs.prove(
            user_of(credential), proof, enter, client_address=device.address
        )
        return await self.entrance.announce(started)

    async def _checked(self, binding: str, credential: Credential) -> NewCredential:
        purpose = CeremonyPurpose.REGISTRATION
        try:
            challenge = await self.ceremonies.take(credential, purpose, binding)
        except SecondFactorInvalidError:
            raise PasskeyInvalidError from None
        return self.ceremonies.verifier.check_registration(credential, challenge)
