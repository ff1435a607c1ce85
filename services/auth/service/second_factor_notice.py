"""Tells a user by mail that something happened to their second factors."""

from dataclasses import dataclass
from enum import StrEnum

from libs.crypto import FieldSealer
from libs.events import Transaction
from libs.events.catalog import AccountMfaChanged
from libs.kernel import EventId, new_id
from services.auth.domain import User


class FactorChange(StrEnum):
    """What happened, as ``account.mfa_changed`` says it."""

    ADDED = "added"
    REMOVED = "removed"
    RESET = "reset"
    RECOVERY_USED = "recovery_used"
    RECOVERY_RENEWED = "recovery_renewed"


@dataclass(frozen=True)
class SecondFactorNotice:
    """Publishes what notification makes a mail of."""

    transport: FieldSealer

    def tell_in(
        self, transaction: Transaction, user: User, change: FactorChange
    ) -> None:
        """Publish in the change's own transaction.

        Emits: account.mfa_changed.
        """
        event_id = EventId(new_id())
        context = (event_id, AccountMfaChanged.event_type, "email", user.user_id)
        event = AccountMfaChanged(
            user_id=user.user_id,
            display_name=user.display_name,
            locale=user.locale,
            email=self.transport.seal(user.email.written, *context),
            change=change.value,
        )
        transaction.publish(event, event_id=event_id)
