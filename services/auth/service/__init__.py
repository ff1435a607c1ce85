"""Use cases of accounts, sign-in, sessions and profiles."""

from services.auth.service.entrance import Entered, Entrance
from services.auth.service.guesses import counted
from services.auth.service.password_lists import PasswordLists, PasswordStrength
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.passwords import PasswordHasher
from services.auth.service.profiles import ProfileChange, Profiles, UserPage
from services.auth.service.provider_accounts import (
    ProviderAccounts,
)
from services.auth.service.provider_journey import (
    Answer,
    Arrival,
    Departure,
    ProviderJourney,
)
from services.auth.service.provider_keys import (
    provider_keys,
)
from services.auth.service.provider_links import (
    ProviderLinks,
)
from services.auth.service.provider_logout import (
    ProviderLogout,
)
from services.auth.service.provider_sign_in import (
    ProviderSignIn,
)
from services.auth.service.registration import AccountRegistration
from services.auth.service.renewal import SessionRenewal
from services.auth.service.second_factor_gate import (
    SecondFactorGate,
    SecondFactorRequired,
)
from services.auth.service.sessions import RevocationList, SessionControl, SessionPage
from services.auth.service.sign_in import SignIn
from services.auth.service.signed_in import SignedIn
from services.auth.service.step_up import StepUp
from services.auth.service.tokens import AccessTokens, RefreshToken, RefreshTokens

__all__ = [
    "AccessTokens",
    "AccountRegistration",
    "Answer",
    "Arrival",
    "Departure",
    "Entered",
    "Entrance",
    "PasswordHasher",
    "PasswordLists",
    "PasswordOwner",
    "PasswordPolicy",
    "PasswordStrength",
    "ProfileChange",
    "Profiles",
    "ProviderAccounts",
    "ProviderJourney",
    "ProviderLinks",
    "ProviderLogout",
    "ProviderSignIn",
    "RefreshToken",
    "RefreshTokens",
    "RevocationList",
    "SecondFactorGate",
    "SecondFactorRequired",
    "SessionControl",
    "SessionPage",
    "SessionRenewal",
    "SignIn",
    "SignedIn",
    "StepUp",
    "UserPage",
    "counted",
    "provider_keys",
]
