"""The use cases of second factors, put together over any adapters."""

from libs.crypto import FieldSealer, WatchedKeyRing
from services.auth.api.state import SecondFactorState
from services.auth.app.adapters import Adapters
from services.auth.service import (
    Ceremonies,
    EnrolmentSignIn,
    Entrance,
    Passkeys,
    PasskeyVerifier,
    Reauthentication,
    SecondFactorNotice,
    SecondFactorProofs,
    SecondFactorSettings,
    SecondFactorSignIn,
    StepUp,
    WaysIn,
)
from services.auth.settings import AuthSettings


def second_factor_state(
    settings: AuthSettings,
    adapters: Adapters,
    entrance: Entrance,
    step_up: StepUp,
) -> SecondFactorState:
    """Put together what proves, sets up and asks for second factors."""
    stores, bus, clock = adapters.stores, adapters.bus, adapters.clock
    transport = WatchedKeyRing(settings.account_transport_keys_file)
    notice = SecondFactorNotice(FieldSealer(transport))
    verifier = PasskeyVerifier(settings.public_url)
    ceremonies = Ceremonies(stores.ceremonies, verifier, clock)
    proofs = _proofs(adapters, notice, ceremonies)
    sign_in = SecondFactorSignIn(stores.pending_sign_ins, proofs, entrance, clock)
    own = _own(adapters, entrance, step_up, notice)
    passkeys = Passkeys(
        bus=bus,
        users=stores.users,
        factors=stores.second_factors,
        ceremonies=ceremonies,
        settings=own,
        proofs=proofs,
        entrance=entrance,
        ways_in=WaysIn(stores.credentials, stores.identities.links),
        clock=clock,
    )
    return SecondFactorState(
        second_factors=own,
        second_factor_sign_in=sign_in,
        enrolment_sign_in=EnrolmentSignIn(
            bus, stores.users, sign_in, own, passkeys, entrance
        ),
        passkeys=passkeys,
        reauthentication=_reauthentication(adapters, proofs, entrance),
    )


def _own(
    adapters: Adapters,
    entrance: Entrance,
    step_up: StepUp,
    notice: SecondFactorNotice,
) -> SecondFactorSettings:
    return SecondFactorSettings(
        bus=adapters.bus,
        users=adapters.stores.users,
        factors=adapters.stores.second_factors,
        step_up=step_up,
        control=entrance.control,
        policy=entrance.gate.policy,
        notice=notice,
        audit=adapters.stores.audit,
        clock=adapters.clock,
        issuer="Parley",
    )


def _proofs(
    adapters: Adapters, notice: SecondFactorNotice, ceremonies: Ceremonies
) -> SecondFactorProofs:
    return SecondFactorProofs(
        bus=adapters.bus,
        users=adapters.stores.users,
        factors=adapters.stores.second_factors,
        throttle=adapters.counters.guess_throttle,
        ceremonies=ceremonies,
        notice=notice,
        audit=adapters.stores.audit,
        clock=adapters.clock,
    )


def _reauthentication(
    adapters: Adapters, proofs: SecondFactorProofs, entrance: Entrance
) -> Reauthentication:
    return Reauthentication(
        bus=adapters.bus,
        users=adapters.stores.users,
        credentials=adapters.stores.credentials,
        sessions=adapters.stores.sessions,
        factors=adapters.stores.second_factors,
        hasher=adapters.hasher,
        throttle=adapters.counters.guess_throttle,
        proofs=proofs,
        entrance=entrance,
        audit=adapters.stores.audit,
        clock=adapters.clock,
    )
