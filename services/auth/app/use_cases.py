"""The use cases, put together over any adapters."""

from dataclasses import replace

from libs.crypto import FieldSealer, WatchedKeyRing
from services.auth.api import AuthState
from services.auth.app.accounts import AccountParts
from services.auth.app.adapters import Adapters
from services.auth.app.administration import administration_state
from services.auth.app.deletion import deletion_cancel, deletion_state
from services.auth.app.personal_tokens import personal_tokens
from services.auth.app.profiles import profile_state
from services.auth.app.providers import (
    ConfiguredProviders,
    ProviderParts,
    provider_state,
)
from services.auth.app.second_factors import second_factor_state
from services.auth.domain import SecondFactorPolicy
from services.auth.repository import FileSigningKeys
from services.auth.service import (
    AccessTokens,
    AccountNotices,
    DeletionCancel,
    Entrance,
    LateSuccess,
    PasswordPolicy,
    RecordedGuesses,
    RefreshTokens,
    SecondFactorGate,
    SecondFactorNotice,
    SecondFactorPolicies,
    SessionControl,
    SessionRenewal,
    SignIn,
    StepUp,
    TokenEnds,
)
from services.auth.settings import AuthSettings


def auth_state(
    settings: AuthSettings, adapters: Adapters, configured: ConfiguredProviders
) -> AuthState:
    """Put the use cases together over any adapters; reads key files only."""
    adapters = _recorded(adapters)
    control = _session_control(adapters)
    required = _second_factor_policies(settings, adapters)
    transport = _transport(settings)
    accounts = _account_parts(settings, adapters, required, transport)
    cancelling = deletion_cancel(adapters, accounts.notices)
    entrance = _entrance(settings, adapters, control, required, cancelling)
    step_up = StepUp(adapters.stores.sessions, adapters.clock)
    factors = second_factor_state(settings, adapters, entrance, step_up)
    again = factors["reauthentication"]
    parts = ProviderParts(adapters, configured, entrance, step_up, again, transport)
    notice = SecondFactorNotice(transport)
    tokens = personal_tokens(settings, adapters, entrance, step_up)
    return AuthState(
        sign_in=_sign_in(adapters, entrance, accounts.notices),
        step_up=step_up,
        renewal=_renewal(adapters, entrance, accounts.notices),
        session_control=control,
        access_tokens=entrance.access,
        public_origin=settings.public_url,
        **profile_state(adapters, step_up),
        **accounts.state(control, step_up),
        **provider_state(settings, parts),
        personal_tokens=tokens,
        **administration_state(
            adapters, entrance, accounts, step_up, tokens, notice=notice
        ),
        **deletion_state(settings, adapters, accounts, control, step_up),
        **factors,
    )


def _access_tokens(settings: AuthSettings, adapters: Adapters) -> AccessTokens:
    return AccessTokens(
        FileSigningKeys(settings.signing_keys_file, adapters.clock),
        issuer=settings.issuer,
        clock=adapters.clock,
    )


def _second_factor_policies(
    settings: AuthSettings, adapters: Adapters
) -> SecondFactorPolicies:
    return SecondFactorPolicies(
        adapters.stores.second_factor_policy,
        SecondFactorPolicy(frozenset(settings.second_factor_roles)),
    )


def _renewal(
    adapters: Adapters, entrance: Entrance, notices: AccountNotices
) -> SessionRenewal:
    return SessionRenewal(
        bus=adapters.bus,
        users=adapters.stores.users,
        sessions=adapters.stores.sessions,
        control=entrance.control,
        access=entrance.access,
        refresh_tokens=entrance.refresh_tokens,
        policy=entrance.gate.policy,
        throttle=adapters.counters.guess_throttle,
        notices=notices,
        clock=adapters.clock,
    )


def _session_control(adapters: Adapters) -> SessionControl:
    return SessionControl(
        bus=adapters.bus,
        sessions=adapters.stores.sessions,
        token_ends=TokenEnds(
            tokens=adapters.stores.personal_tokens,
            sessions=adapters.stores.sessions,
            audit=adapters.stores.audit,
            clock=adapters.clock,
        ),
        audit=adapters.stores.audit,
        announcer=adapters.counters.announcer,
        clock=adapters.clock,
    )


def _account_parts(
    settings: AuthSettings,
    adapters: Adapters,
    required: SecondFactorPolicies,
    transport: FieldSealer,
) -> AccountParts:
    policy = PasswordPolicy(adapters.password_lists, required.binds)
    return AccountParts(settings, adapters, policy, transport)


def _transport(settings: AuthSettings) -> FieldSealer:
    return FieldSealer(WatchedKeyRing(settings.account_transport_keys_file))


def _recorded(adapters: Adapters) -> Adapters:
    """Let the throttle record whom it refuses."""
    throttle = RecordedGuesses(
        adapters.counters.guess_throttle,
        adapters.stores.users,
        adapters.stores.audit,
        adapters.clock,
    )
    counters = replace(adapters.counters, guess_throttle=throttle)
    return replace(adapters, counters=counters)


def _sign_in(adapters: Adapters, entrance: Entrance, notices: AccountNotices) -> SignIn:
    stores = adapters.stores
    return SignIn(
        users=stores.users,
        credentials=stores.credentials,
        entrance=entrance,
        hasher=adapters.hasher,
        throttle=adapters.counters.guess_throttle,
        late_success=LateSuccess(stores.sessions, notices, stores.audit),
        audit=stores.audit,
    )


def _entrance(
    settings: AuthSettings,
    adapters: Adapters,
    control: SessionControl,
    policies: SecondFactorPolicies,
    cancelling: DeletionCancel,
) -> Entrance:
    stores = adapters.stores
    gate = SecondFactorGate(
        stores.second_factors, stores.pending_sign_ins, policies, adapters.clock
    )
    return Entrance(
        bus=adapters.bus,
        users=stores.users,
        sessions=stores.sessions,
        control=control,
        access=_access_tokens(settings, adapters),
        refresh_tokens=RefreshTokens(WatchedKeyRing(settings.refresh_keys_file)),
        audit=stores.audit,
        gate=gate,
        cancelling=cancelling,
        clock=adapters.clock,
    )
