"""The use cases of accounts, put together over any adapters."""

from libs.crypto import FieldSealer
from services.auth.api.state import AccountState
from services.auth.app.adapters import Adapters
from services.auth.domain import RegistrationRules
from services.auth.service import (
    AccountNotices,
    AccountRegistration,
    Acts,
    EmailChange,
    EmailStop,
    EvenAnswers,
    Invitations,
    InviteEnds,
    OneTimeLinks,
    PasswordChange,
    PasswordEnd,
    PasswordPolicy,
    PasswordVoid,
    SessionControl,
    StepUp,
)
from services.auth.settings import AuthSettings


class AccountParts:
    """Builds the use cases of accounts; they share links, notices and rules.

    Attributes:
        links: Makes links that work once.
        notices: Tells owners what happened to their account.
    """

    def __init__(
        self,
        settings: AuthSettings,
        adapters: Adapters,
        policy: PasswordPolicy,
        transport: FieldSealer,
    ) -> None:
        self._adapters = adapters
        self._policy = policy
        self.notices = AccountNotices(transport)
        self._even = EvenAnswers(settings.even_answer_seconds)
        self.links = OneTimeLinks(
            adapters.bus,
            adapters.stores.links,
            adapters.counters.guess_throttle,
            adapters.clock,
        )
        self._rules = registration_rules(settings)

    def state(self, control: SessionControl, step_up: StepUp) -> AccountState:
        """Return the part of the routes' state that is about accounts."""
        return AccountState(
            registration=self.registration(),
            password_policy=self._policy,
            password_change=self.password_change(control),
            email_change=self.email_change(control, step_up),
            email_stop=self.email_stop(control),
            invitations=self.invitations(),
        )

    def password_void(self, acts: Acts, control: SessionControl) -> PasswordVoid:
        """Return what administrators do to a password that others know."""
        return PasswordVoid(
            acts=acts, end=self._password_end(control), notices=self.notices
        )

    def _password_end(self, control: SessionControl) -> PasswordEnd:
        return PasswordEnd(
            users=self._adapters.stores.users,
            credentials=self._adapters.stores.credentials,
            links=self.links,
            pending=self._adapters.stores.pending_sign_ins,
            control=control,
        )

    def email_stop(self, control: SessionControl) -> EmailStop:
        """Return what takes a change of the address back."""
        return EmailStop(
            bus=self._adapters.bus,
            users=self._adapters.stores.users,
            links=self.links,
            factors=self._adapters.stores.second_factors,
            identities=self._adapters.stores.identities.links,
            end=self._password_end(control),
            notices=self.notices,
            audit=self._adapters.stores.audit,
            clock=self._adapters.clock,
        )

    def registration(self) -> AccountRegistration:
        """Return registering and verifying."""
        return AccountRegistration(
            bus=self._adapters.bus,
            users=self._adapters.stores.users,
            credentials=self._adapters.stores.credentials,
            links=self.links,
            rules=self._rules,
            hasher=self._adapters.hasher,
            policy=self._policy,
            notices=self.notices,
            throttle=self._adapters.counters.mail_throttle,
            even=self._even,
            audit=self._adapters.stores.audit,
            clock=self._adapters.clock,
        )

    def password_change(self, control: SessionControl) -> PasswordChange:
        """Return change and reset of the password."""
        return PasswordChange(
            bus=self._adapters.bus,
            users=self._adapters.stores.users,
            credentials=self._adapters.stores.credentials,
            links=self.links,
            pending=self._adapters.stores.pending_sign_ins,
            control=control,
            hasher=self._adapters.hasher,
            policy=self._policy,
            notices=self.notices,
            guesses=self._adapters.counters.guess_throttle,
            mails=self._adapters.counters.mail_throttle,
            audit=self._adapters.stores.audit,
            even=self._even,
        )

    def email_change(self, control: SessionControl, step_up: StepUp) -> EmailChange:
        """Return the change of the address."""
        return EmailChange(
            bus=self._adapters.bus,
            users=self._adapters.stores.users,
            links=self.links,
            stop=self.email_stop(control),
            step_up=step_up,
            notices=self.notices,
            mails=self._adapters.counters.mail_throttle,
            audit=self._adapters.stores.audit,
            even=self._even,
            clock=self._adapters.clock,
        )

    def invite_ends(self) -> InviteEnds:
        """Return what voids the invitations of who is shut out."""
        stores = self._adapters.stores
        return InviteEnds(stores.invites, self.links, stores.audit)

    def invitations(self) -> Invitations:
        """Return inviting and accepting."""
        return Invitations(
            bus=self._adapters.bus,
            users=self._adapters.stores.users,
            credentials=self._adapters.stores.credentials,
            invites=self._adapters.stores.invites,
            links=self.links,
            rules=self._rules,
            hasher=self._adapters.hasher,
            policy=self._policy,
            notices=self.notices,
            mails=self._adapters.counters.mail_throttle,
            audit=self._adapters.stores.audit,
            even=self._even,
            clock=self._adapters.clock,
        )


def registration_rules(settings: AuthSettings) -> RegistrationRules:
    """Return how people come in; by a provider too."""
    domains = settings.registration_domains
    return RegistrationRules(
        settings.registration_mode,
        frozenset(domains.split(",")) if domains else frozenset(),
        settings.members_invite,
    )
