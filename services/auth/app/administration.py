"""The use cases of administrators, put together."""

from services.auth.api import AdministrationState
from services.auth.app.accounts import AccountParts
from services.auth.app.adapters import Adapters
from services.auth.service import (
    AccountAdministration,
    AccountLookup,
    Acts,
    AdminGuard,
    Appointment,
    Authority,
    Bots,
    CustomRoles,
    Entrance,
    FactorReset,
    PersonalTokens,
    SecondFactorNotice,
    SecondFactorRule,
    SessionControl,
    StepUp,
    WaysIn,
)


def administration_state(
    adapters: Adapters,
    entrance: Entrance,
    accounts: AccountParts,
    step_up: StepUp,
    tokens: PersonalTokens,
    *,
    notice: SecondFactorNotice,
) -> AdministrationState:
    """Return the part of the state that administrators' routes use."""
    control = entrance.control
    acts = acts_of(adapters, step_up)
    return AdministrationState(
        administration=_administration(adapters, acts, control, accounts),
        lookup=_lookup(adapters, acts, control),
        password_void=accounts.password_void(acts, control),
        factor_reset=_factor_reset(adapters, acts, control, notice),
        second_factor_rule=_second_factor_rule(adapters, acts, entrance),
        custom_roles=_custom_roles(adapters, acts),
        bots=_bots(adapters, acts, tokens),
        appointment=_appointment(adapters),
    )


def acts_of(adapters: Adapters, step_up: StepUp) -> Acts:
    """Return the frame of administrative acts."""
    stores = adapters.stores
    authority = Authority(stores.users, stores.roles, step_up)
    return Acts(adapters.bus, stores.users, authority, stores.audit)


def _administration(
    adapters: Adapters, acts: Acts, control: SessionControl, accounts: AccountParts
) -> AccountAdministration:
    return AccountAdministration(
        acts=acts,
        users=adapters.stores.users,
        admins=AdminGuard(adapters.stores.register),
        roles=adapters.stores.roles,
        control=control,
        invites=accounts.invite_ends(),
        clock=adapters.clock,
    )


def _lookup(adapters: Adapters, acts: Acts, control: SessionControl) -> AccountLookup:
    return AccountLookup(
        acts=acts,
        authority=acts.authority,
        users=adapters.stores.users,
        register=adapters.stores.register,
        control=control,
        trail=adapters.stores.audit_reader,
    )


def _factor_reset(
    adapters: Adapters,
    acts: Acts,
    control: SessionControl,
    notice: SecondFactorNotice,
) -> FactorReset:
    stores = adapters.stores
    return FactorReset(
        acts=acts,
        users=stores.users,
        factors=stores.second_factors,
        pending=stores.pending_sign_ins,
        links=stores.identities.links,
        ways_in=WaysIn(stores.credentials, stores.identities.links),
        control=control,
        notice=notice,
    )


def _second_factor_rule(
    adapters: Adapters, acts: Acts, entrance: Entrance
) -> SecondFactorRule:
    return SecondFactorRule(
        acts=acts,
        policies=entrance.gate.policy,
        users=adapters.stores.users,
        factors=adapters.stores.second_factors,
        roles=adapters.stores.roles,
        clock=adapters.clock,
    )


def _bots(adapters: Adapters, acts: Acts, tokens: PersonalTokens) -> Bots:
    return Bots(
        acts=acts,
        authority=acts.authority,
        users=adapters.stores.users,
        register=adapters.stores.register,
        erasures=adapters.stores.deletions.erasures,
        tokens=tokens,
        clock=adapters.clock,
    )


def _custom_roles(adapters: Adapters, acts: Acts) -> CustomRoles:
    return CustomRoles(
        acts=acts,
        authority=acts.authority,
        roles=adapters.stores.roles,
        register=adapters.stores.register,
        clock=adapters.clock,
    )


def _appointment(adapters: Adapters) -> Appointment:
    stores = adapters.stores
    return Appointment(adapters.bus, stores.users, stores.audit, adapters.clock)
