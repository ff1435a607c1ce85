"""Typed access to what the lifespan opened."""

from typing import Annotated, TypedDict

from fastapi import Depends, Request

from services.auth.service import (
    AccessTokens,
    AccountRegistration,
    PasswordPolicy,
    Profiles,
    SessionControl,
    SessionRenewal,
    SignIn,
    StepUp,
)


class AuthState(TypedDict):
    """What the lifespan yields; it becomes ``request.state``."""

    registration: AccountRegistration
    password_policy: PasswordPolicy
    sign_in: SignIn
    renewal: SessionRenewal
    session_control: SessionControl
    step_up: StepUp
    profiles: Profiles
    access_tokens: AccessTokens
    public_origin: str


def _registration(request: Request) -> AccountRegistration:
    found: AccountRegistration = request.state.registration
    return found


def _password_policy(request: Request) -> PasswordPolicy:
    found: PasswordPolicy = request.state.password_policy
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


def _profiles(request: Request) -> Profiles:
    found: Profiles = request.state.profiles
    return found


def _access_tokens(request: Request) -> AccessTokens:
    found: AccessTokens = request.state.access_tokens
    return found


RegistrationUse = Annotated[AccountRegistration, Depends(_registration)]
PasswordPolicyUse = Annotated[PasswordPolicy, Depends(_password_policy)]
SignInUse = Annotated[SignIn, Depends(_sign_in)]
RenewalUse = Annotated[SessionRenewal, Depends(_renewal)]
SessionControlUse = Annotated[SessionControl, Depends(_session_control)]
StepUpUse = Annotated[StepUp, Depends(_step_up)]
ProfilesUse = Annotated[Profiles, Depends(_profiles)]
AccessTokensUse = Annotated[AccessTokens, Depends(_access_tokens)]
