"""The use cases, put together over any adapters."""

from libs.crypto import FieldSealer, KeyRing
from services.auth.api import AuthState
from services.auth.app.adapters import Adapters
from services.auth.app.providers import (
    ConfiguredProviders,
    ProviderParts,
    provider_state,
)
from services.auth.repository import FileSigningKeys
from services.auth.service import (
    AccessTokens,
    AccountRegistration,
    Entrance,
    PasswordPolicy,
    Profiles,
    RefreshTokens,
    SecondFactorGate,
    SessionControl,
    SessionRenewal,
    SignIn,
    StepUp,
)
from services.auth.settings import AuthSettings


def auth_state(
    settings: AuthSettings, adapters: Adapters, configured: ConfiguredProviders
) -> AuthState:
    """Put the use cases together over any adapters; reads key files only."""
    bus, clock, users = adapters.bus, adapters.clock, adapters.stores.users
    access = AccessTokens(
        FileSigningKeys(settings.signing_keys_file, clock),
        issuer=settings.issuer,
        clock=clock,
    )
    refresh = RefreshTokens(KeyRing.from_file(settings.refresh_keys_file))
    sessions = adapters.stores.sessions
    control = _session_control(adapters)
    entrance = _entrance(adapters, control, access, refresh)
    policy = PasswordPolicy(adapters.password_lists, lambda _: False)
    step_up = StepUp(sessions, clock)
    parts = ProviderParts(
        adapters, configured, entrance, control, step_up, _transport(settings)
    )
    return AuthState(
        registration=_registration(settings, adapters, policy),
        password_policy=policy,
        sign_in=_sign_in(adapters, entrance),
        step_up=step_up,
        renewal=SessionRenewal(bus, users, sessions, control, access, refresh, clock),
        session_control=control,
        profiles=Profiles(bus, users, clock),
        access_tokens=access,
        public_origin=settings.public_url,
        **provider_state(settings, parts),
    )


def _session_control(adapters: Adapters) -> SessionControl:
    return SessionControl(
        bus=adapters.bus,
        sessions=adapters.stores.sessions,
        audit=adapters.stores.audit,
        announcer=adapters.counters.announcer,
        clock=adapters.clock,
    )


def _registration(
    settings: AuthSettings, adapters: Adapters, policy: PasswordPolicy
) -> AccountRegistration:
    return AccountRegistration(
        bus=adapters.bus,
        users=adapters.stores.users,
        credentials=adapters.stores.credentials,
        verifications=adapters.stores.verifications,
        hasher=adapters.hasher,
        policy=policy,
        transport=_transport(settings),
        throttle=adapters.counters.mail_throttle,
        clock=adapters.clock,
    )


def _transport(settings: AuthSettings) -> FieldSealer:
    return FieldSealer(KeyRing.from_file(settings.account_transport_keys_file))


def _sign_in(adapters: Adapters, entrance: Entrance) -> SignIn:
    return SignIn(
        users=adapters.stores.users,
        credentials=adapters.stores.credentials,
        entrance=entrance,
        hasher=adapters.hasher,
        throttle=adapters.counters.guess_throttle,
        audit=adapters.stores.audit,
    )


def _entrance(
    adapters: Adapters,
    control: SessionControl,
    access: AccessTokens,
    refresh: RefreshTokens,
) -> Entrance:
    return Entrance(
        bus=adapters.bus,
        sessions=adapters.stores.sessions,
        control=control,
        access=access,
        refresh_tokens=refresh,
        audit=adapters.stores.audit,
        gate=SecondFactorGate(
            adapters.stores.second_factors,
            adapters.stores.pending_sign_ins,
            adapters.clock,
        ),
        clock=adapters.clock,
    )
