"""Use cases of accounts, sign-in, sessions and profiles."""

from services.auth.service.acts import Acts
from services.auth.service.administration import (
    DEACTIVATE,
    REACTIVATE,
    REINSTATE,
    SUSPEND,
    AccountAdministration,
    StatusAct,
)
from services.auth.service.appointment import Appointment
from services.auth.service.authority import Authority
from services.auth.service.avatars import Avatars
from services.auth.service.bots import Bots
from services.auth.service.ceremonies import Ceremonies
from services.auth.service.custom_roles import CustomRoles
from services.auth.service.deletion import AccountDeletion
from services.auth.service.deletion_cancel import DeletionCancel
from services.auth.service.email_change import EmailChange
from services.auth.service.email_stop import EmailStop
from services.auth.service.enrolment_sign_in import EnrolledSignIn, EnrolmentSignIn
from services.auth.service.entrance import Entered, Entrance
from services.auth.service.erasing import AccountEraser, ErasedParts
from services.auth.service.erasure_report import (
    ErasurePage,
    ErasureReport,
    ErasureRetelling,
)
from services.auth.service.evenness import EvenAnswers
from services.auth.service.factor_reset import FactorReset
from services.auth.service.guesses import counted
from services.auth.service.invitations import Invitations, InvitePage
from services.auth.service.invite_ends import InviteEnds
from services.auth.service.last_admin import AdminGuard
from services.auth.service.late_success import LateSuccess
from services.auth.service.links import OneTimeLinks
from services.auth.service.lookup import AccountLookup, AuditPage
from services.auth.service.notices import AccountNotices
from services.auth.service.own_preferences import OwnPreferences
from services.auth.service.own_records import OwnRecords
from services.auth.service.passkey_verifier import PasskeyVerifier
from services.auth.service.passkeys import AddedPasskey, Passkeys
from services.auth.service.password_change import PasswordChange
from services.auth.service.password_lists import PasswordLists, PasswordStrength
from services.auth.service.password_policy import PasswordOwner, PasswordPolicy
from services.auth.service.password_void import PasswordEnd, PasswordVoid
from services.auth.service.passwords import PasswordHasher
from services.auth.service.personal_tokens import (
    NewToken,
    PersonalTokens,
    SocketAccess,
    TokenPage,
    TokenWish,
    hash_personal_token,
)
from services.auth.service.profiles import ProfileChange, Profiles, UserPage
from services.auth.service.provider_accounts import ProviderAccounts
from services.auth.service.provider_journey import ProviderJourney
from services.auth.service.provider_keys import provider_keys
from services.auth.service.provider_links import ProviderLinks
from services.auth.service.provider_logout import ProviderLogout
from services.auth.service.provider_redirects import Answer, Arrival, Departure
from services.auth.service.provider_sign_in import ProviderSignIn
from services.auth.service.provider_step_up import ProviderStepUp
from services.auth.service.reauthentication import Reauthentication
from services.auth.service.recorded_guesses import RecordedGuesses
from services.auth.service.registration import AccountRegistration
from services.auth.service.renewal import SessionRenewal
from services.auth.service.restored import RestoredSignIns
from services.auth.service.second_factor_gate import (
    SecondFactorGate,
    SecondFactorRequired,
    hash_pending_token,
)
from services.auth.service.second_factor_notice import FactorChange, SecondFactorNotice
from services.auth.service.second_factor_policies import SecondFactorPolicies
from services.auth.service.second_factor_proof import (
    PasskeyProof,
    Proof,
    RecoveryProof,
    SecondFactorProofs,
    TotpProof,
)
from services.auth.service.second_factor_rule import SecondFactorRule
from services.auth.service.second_factor_sign_in import SecondFactorSignIn
from services.auth.service.second_factors import (
    FactorOverview,
    SecondFactorSettings,
    TotpOffer,
)
from services.auth.service.sessions import RevocationList, SessionControl, SessionPage
from services.auth.service.sign_in import SignIn
from services.auth.service.signed_in import SignedIn
from services.auth.service.step_up import StepUp
from services.auth.service.token_ends import TokenEnds
from services.auth.service.tokens import AccessTokens, RefreshToken, RefreshTokens
from services.auth.service.ways_in import WaysIn

__all__ = [
    "DEACTIVATE",
    "REACTIVATE",
    "REINSTATE",
    "SUSPEND",
    "AccessTokens",
    "AccountAdministration",
    "AccountDeletion",
    "AccountEraser",
    "AccountLookup",
    "AccountNotices",
    "AccountRegistration",
    "Acts",
    "AddedPasskey",
    "AdminGuard",
    "Answer",
    "Appointment",
    "Arrival",
    "AuditPage",
    "Authority",
    "Avatars",
    "Bots",
    "Ceremonies",
    "CustomRoles",
    "DeletionCancel",
    "Departure",
    "EmailChange",
    "EmailStop",
    "EnrolledSignIn",
    "EnrolmentSignIn",
    "Entered",
    "Entrance",
    "ErasedParts",
    "ErasurePage",
    "ErasureReport",
    "ErasureRetelling",
    "EvenAnswers",
    "FactorChange",
    "FactorOverview",
    "FactorReset",
    "Invitations",
    "InviteEnds",
    "InvitePage",
    "LateSuccess",
    "NewToken",
    "OneTimeLinks",
    "OwnPreferences",
    "OwnRecords",
    "PasskeyProof",
    "PasskeyVerifier",
    "Passkeys",
    "PasswordChange",
    "PasswordEnd",
    "PasswordHasher",
    "PasswordLists",
    "PasswordOwner",
    "PasswordPolicy",
    "PasswordStrength",
    "PasswordVoid",
    "PersonalTokens",
    "ProfileChange",
    "Profiles",
    "Proof",
    "ProviderAccounts",
    "ProviderJourney",
    "ProviderLinks",
    "ProviderLogout",
    "ProviderSignIn",
    "ProviderStepUp",
    "Reauthentication",
    "RecordedGuesses",
    "RecoveryProof",
    "RefreshToken",
    "RefreshTokens",
    "RestoredSignIns",
    "RevocationList",
    "SecondFactorGate",
    "SecondFactorNotice",
    "SecondFactorPolicies",
    "SecondFactorProofs",
    "SecondFactorRequired",
    "SecondFactorRule",
    "SecondFactorSettings",
    "SecondFactorSignIn",
    "SessionControl",
    "SessionPage",
    "SessionRenewal",
    "SignIn",
    "SignedIn",
    "SocketAccess",
    "StatusAct",
    "StepUp",
    "TokenEnds",
    "TokenPage",
    "TokenWish",
    "TotpOffer",
    "TotpProof",
    "UserPage",
    "WaysIn",
    "counted",
    "hash_pending_token",
    "hash_personal_token",
    "provider_keys",
]
