"""Typed access to what the lifespan opened."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request

from services.auth.service import (
    AccessTokens,
    AccountAdministration,
    AccountDeletion,
    AccountEraser,
    AccountLookup,
    AccountRegistration,
    Appointment,
    Avatars,
    Bots,
    CustomRoles,
    EmailChange,
    EmailStop,
    EnrolmentSignIn,
    ErasureReport,
    FactorReset,
    Invitations,
    OwnPreferences,
    OwnRecords,
    Passkeys,
    PasswordChange,
    PasswordPolicy,
    PasswordVoid,
    PersonalTokens,
    Profiles,
    ProviderJourney,
    ProviderLinks,
    ProviderLogout,
    ProviderSignIn,
    ProviderStepUp,
    Reauthentication,
    SecondFactorRule,
    SecondFactorSettings,
    SecondFactorSignIn,
    SessionControl,
    SessionRenewal,
    SignIn,
    StepUp,
)


class SecondFactorState(TypedDict):
    """What second factors are proved, set up and asked for with."""

    second_factors: SecondFactorSettings
    second_factor_sign_in: SecondFactorSignIn
    enrolment_sign_in: EnrolmentSignIn
    reauthentication: Reauthentication
    passkeys: Passkeys


class AdministrationState(TypedDict):
    """What administrators' routes use."""

    administration: AccountAdministration
    lookup: AccountLookup
    password_void: PasswordVoid
    factor_reset: FactorReset
    second_factor_rule: SecondFactorRule
    custom_roles: CustomRoles
    bots: Bots
    appointment: Appointment


class DeletionState(TypedDict):
    """What accounts are deleted with."""

    deletion: AccountDeletion
    erasure_report: ErasureReport
    eraser: AccountEraser


class AccountState(TypedDict):
    """The part of the state that is about accounts, passwords and addresses."""

    registration: AccountRegistration
    password_policy: PasswordPolicy
    password_change: PasswordChange
    email_change: EmailChange
    email_stop: EmailStop
    invitations: Invitations


class ProfileState(TypedDict):
    """What people show of themselves, and what they chose."""

    profiles: Profiles
    avatars: Avatars
    preferences: OwnPreferences
    own_records: OwnRecords


class AuthState(
    AccountState,
    SecondFactorState,
    AdministrationState,
    ProfileState,
    DeletionState,
):
    """What the lifespan yields; it becomes ``request.state``."""

    sign_in: SignIn
    renewal: SessionRenewal
    session_control: SessionControl
    step_up: StepUp
    access_tokens: AccessTokens
    provider_journey: ProviderJourney
    provider_sign_in: ProviderSignIn
    provider_links: ProviderLinks
    provider_logout: ProviderLogout
    provider_step_up: ProviderStepUp
    public_origin: str
    personal_tokens: PersonalTokens


def _registration(request: Request) -> AccountRegistration:
    found: AccountRegistration = request.state.registration
    return found


def _password_policy(request: Request) -> PasswordPolicy:
    found: PasswordPolicy = request.state.password_policy
    return found


def _password_change(request: Request) -> PasswordChange:
    found: PasswordChange = request.state.password_change
    return found


def _email_change(request: Request) -> EmailChange:
    found: EmailChange = request.state.email_change
    return found


def _email_stop(request: Request) -> EmailStop:
    found: EmailStop = request.state.email_stop
    return found


def _invitations(request: Request) -> Invitations:
    found: Invitations = request.state.invitations
    return found


def _sign_in(request: Request) -> SignIn:
    found: SignIn = request.state.sign_in
    return found


def _renewal(request: Request) -> SessionRenewal:
    found: SessionRenewal = request.state.renewal
    return found


def _session_control(request: Request) -> SessionControl:
    found: SessionControl = request.state.session_control
    return found


def _step_up(request: Request) -> StepUp:
    found: StepUp = request.state.step_up
    return found


def _second_factors(request: Request) -> SecondFactorSettings:
    found: SecondFactorSettings = request.state.second_factors
    return found


def _second_factor_sign_in(request: Request) -> SecondFactorSignIn:
    found: SecondFactorSignIn = request.state.second_factor_sign_in
    return found


def _enrolment_sign_in(request: Request) -> EnrolmentSignIn:
    found: EnrolmentSignIn = request.state.enrolment_sign_in
    return found


def _reauthentication(request: Request) -> Reauthentication:
    found: Reauthentication = request.state.reauthentication
    return found


def _passkeys(request: Request) -> Passkeys:
    found: Passkeys = request.state.passkeys
    return found


def _personal_tokens(request: Request) -> PersonalTokens:
    found: PersonalTokens = request.state.personal_tokens
    return found


def _profiles(request: Request) -> Profiles:
    found: Profiles = request.state.profiles
    return found


def _avatars(request: Request) -> Avatars:
    found: Avatars = request.state.avatars
    return found


def _preferences(request: Request) -> OwnPreferences:
    found: OwnPreferences = request.state.preferences
    return found


def _administration(request: Request) -> AccountAdministration:
    found: AccountAdministration = request.state.administration
    return found


def _lookup(request: Request) -> AccountLookup:
    found: AccountLookup = request.state.lookup
    return found


def _password_void(request: Request) -> PasswordVoid:
    found: PasswordVoid = request.state.password_void
    return found


def _factor_reset(request: Request) -> FactorReset:
    found: FactorReset = request.state.factor_reset
    return found


def _second_factor_rule(request: Request) -> SecondFactorRule:
    found: SecondFactorRule = request.state.second_factor_rule
    return found


def _custom_roles(request: Request) -> CustomRoles:
    found: CustomRoles = request.state.custom_roles
    return found


def _own_records(request: Request) -> OwnRecords:
    found: OwnRecords = request.state.own_records
    return found


def _bots(request: Request) -> Bots:
    found: Bots = request.state.bots
    return found


def _deletion(request: Request) -> AccountDeletion:
    found: AccountDeletion = request.state.deletion
    return found


def _erasure_report(request: Request) -> ErasureReport:
    found: ErasureReport = request.state.erasure_report
    return found


def _access_tokens(request: Request) -> AccessTokens:
    found: AccessTokens = request.state.access_tokens
    return found


def _provider_journey(request: Request) -> ProviderJourney:
    found: ProviderJourney = request.state.provider_journey
    return found


def _provider_sign_in(request: Request) -> ProviderSignIn:
    found: ProviderSignIn = request.state.provider_sign_in
    return found


def _provider_links(request: Request) -> ProviderLinks:
    found: ProviderLinks = request.state.provider_links
    return found


def _provider_step_up(request: Request) -> ProviderStepUp:
    found: ProviderStepUp = request.state.provider_step_up
    return found


def _provider_logout(request: Request) -> ProviderLogout:
    found: ProviderLogout = request.state.provider_logout
    return found


RegistrationUse = Annotated[AccountRegistration, Depends(_registration)]
PasswordPolicyUse = Annotated[PasswordPolicy, Depends(_password_policy)]
PasswordChangeUse = Annotated[PasswordChange, Depends(_password_change)]
EmailChangeUse = Annotated[EmailChange, Depends(_email_change)]
EmailStopUse = Annotated[EmailStop, Depends(_email_stop)]
InvitationsUse = Annotated[Invitations, Depends(_invitations)]
SignInUse = Annotated[SignIn, Depends(_sign_in)]
RenewalUse = Annotated[SessionRenewal, Depends(_renewal)]
SessionControlUse = Annotated[SessionControl, Depends(_session_control)]
StepUpUse = Annotated[StepUp, Depends(_step_up)]
SecondFactorSettingsUse = Annotated[SecondFactorSettings, Depends(_second_factors)]
SecondFactorSignInUse = Annotated[SecondFactorSignIn, Depends(_second_factor_sign_in)]
EnrolmentSignInUse = Annotated[EnrolmentSignIn, Depends(_enrolment_sign_in)]
ReauthenticationUse = Annotated[Reauthentication, Depends(_reauthentication)]
PasskeysUse = Annotated[Passkeys, Depends(_passkeys)]
PersonalTokensUse = Annotated[PersonalTokens, Depends(_personal_tokens)]
ProfilesUse = Annotated[Profiles, Depends(_profiles)]
AvatarsUse = Annotated[Avatars, Depends(_avatars)]
PreferencesUse = Annotated[OwnPreferences, Depends(_preferences)]
AdministrationUse = Annotated[AccountAdministration, Depends(_administration)]
LookupUse = Annotated[AccountLookup, Depends(_lookup)]
FactorResetUse = Annotated[FactorReset, Depends(_factor_reset)]
PasswordVoidUse = Annotated[PasswordVoid, Depends(_password_void)]
SecondFactorRuleUse = Annotated[SecondFactorRule, Depends(_second_factor_rule)]
OwnRecordsUse = Annotated[OwnRecords, Depends(_own_records)]
BotsUse = Annotated[Bots, Depends(_bots)]
CustomRolesUse = Annotated[CustomRoles, Depends(_custom_roles)]
DeletionUse = Annotated[AccountDeletion, Depends(_deletion)]
ErasureReportUse = Annotated[ErasureReport, Depends(_erasure_report)]
AccessTokensUse = Annotated[AccessTokens, Depends(_access_tokens)]
ProviderJourneyUse = Annotated[ProviderJourney, Depends(_provider_journey)]
ProviderSignInUse = Annotated[ProviderSignIn, Depends(_provider_sign_in)]
ProviderLinksUse = Annotated[ProviderLinks, Depends(_provider_links)]
ProviderStepUpUse = Annotated[ProviderStepUp, Depends(_provider_step_up)]
ProviderLogoutUse = Annotated[ProviderLogout, Depends(_provider_logout)]
