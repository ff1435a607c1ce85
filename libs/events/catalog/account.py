"""``account.events``: what an account's owner must be told; emitted by auth.

Addresses and tokens are sealed with the account-transport ring. Notification turns
each into a mail; the links in them are built from the configured public URL.
"""

from datetime import datetime
from typing import Any

from libs.crypto.sealed import Sealed
from libs.events.event import Event, upcast


class AccountVerificationRequested(
    Event, type="account.verification_requested", version=1, key="user_id"
):
    """Someone registered with this address and must prove that it is theirs."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    token: Sealed
    expires_at: datetime


class AccountResetRequested(
    Event, type="account.reset_requested", version=1, key="user_id"
):
    """A password reset was asked for."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    token: Sealed
    expires_at: datetime


class AccountPasswordVoided(
    Event, type="account.password_voided", version=1, key="user_id"
):
    """An administrator made the password worthless; the link leads to a new one."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    token: Sealed
    expires_at: datetime


class AccountPasswordChanged(
    Event, type="account.password_changed", version=2, key="user_id"
):
    """The password changed; the owner is told at the current address.

    ``change`` is changed (by the current one: personal tokens go on) or reset (by a
    link: they ended).
    """

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    change: str


class AccountPasswordGuessed(
    Event, type="account.password_guessed", version=1, key="user_id"
):
    """The right password came from a new device after wrong ones, from anywhere.

    ``wrong_before`` is how many. Whether it let anybody in, a second factor decides.
    """

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    wrong_before: int


class AccountSessionReused(
    Event, type="account.session_reused", version=1, key="user_id"
):
    """A refresh token was used twice, so a copy may be in other hands; it ended."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed


class AccountEmailChangeRequested(
    Event, type="account.email_change_requested", version=1, key="user_id"
):
    """A new address was asked for: the token goes there.

    The old one is told by ``account.email_stop_offered``.
    """

    user_id: str
    display_name: str
    locale: str
    old_email: Sealed
    new_email: Sealed
    token: Sealed
    expires_at: datetime


class AccountEmailChanged(
    Event, type="account.email_changed", version=1, key="user_id"
):
    """The address changed; both are told, and mail goes to the new one."""

    user_id: str
    display_name: str
    locale: str
    old_email: Sealed
    new_email: Sealed


class AccountMfaChanged(Event, type="account.mfa_changed", version=1, key="user_id"):
    """A second factor was added, removed or used up.

    ``change`` is one of added, removed, reset, recovery_used, recovery_renewed.
    """

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    change: str


class AccountIdentityChanged(
    Event, type="account.identity_changed", version=1, key="user_id"
):
    """An identity at a provider was linked or unlinked.

    ``change`` is linked or unlinked; ``provider`` is the provider's name.
    """

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    change: str
    provider: str


class AccountEmailStopOffered(
    Event, type="account.email_stop_offered", version=1, key="user_id"
):
    """The former address gets a link that takes the change of the address back."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    token: Sealed
    expires_at: datetime


class AccountDeletionRequested(
    Event, type="account.deletion_requested", version=1, key="user_id"
):
    """The account will be erased at ``due_at``, unless that is cancelled before.

    ``is_own``: its owner asked for it and cancels it by signing in; else an
    administrator did, who alone can cancel it.
    """

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    due_at: datetime
    is_own: bool


class AccountDeletionCancelled(
    Event, type="account.deletion_cancelled", version=1, key="user_id"
):
    """It stays: the owner signed in (``is_own``), or an administrator called it off."""

    user_id: str
    display_name: str
    locale: str
    email: Sealed
    is_own: bool


class AccountInvited(Event, type="account.invited", version=1, key="invite_id"):
    """A member invited somebody by mail."""

    invite_id: str
    inviter_id: str
    inviter_name: str
    locale: str
    email: Sealed
    token: Sealed
    expires_at: datetime


@upcast(AccountPasswordChanged, from_version=1)
def _changed_2(payload: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not say which; personal tokens went on after either."""
    return {**payload, "change": "changed"}
