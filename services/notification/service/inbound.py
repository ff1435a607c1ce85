"""What the consumers work with."""

from dataclasses import dataclass

from libs.crypto import DecryptError, FieldSealer, Sealed
from libs.events import Context, Event, PermanentError
from services.notification.ports import ConversationRepository, PeopleRepository
from services.notification.service.accounts import AccountMails
from services.notification.service.erasure import PersonErasure
from services.notification.service.intake import MessageIntake


@dataclass(frozen=True)
class Inbound:
    """Use cases and keys of the handlers; `Context.app` is one of these.

    Attributes:
        intake: Messages and read markers.
        accounts: Mails about accounts.
        people: Projection of users.
        conversations: Projection of conversations.
        message_sealer: Opens what chat sealed.
        account_sealer: Opens what auth sealed.
        erasure: Forgets who is gone.
    """

    intake: MessageIntake
    accounts: AccountMails
    people: PeopleRepository
    conversations: ConversationRepository
    message_sealer: FieldSealer
    account_sealer: FieldSealer
    erasure: PersonErasure

    def open_message_field(
        self, sealed: Sealed, field: str, event: Event, context: Context
    ) -> str:
        """Open a field that chat sealed.

        Raises:
            PermanentError: It belongs to another place, or was altered.
            KeyUnknownError: The ring does not hold its key (yet); transient.
        """
        return _open(self.message_sealer, sealed, field, event, context)

    def open_account_field(
        self, sealed: Sealed, field: str, event: Event, context: Context
    ) -> str:
        """Open a field that auth sealed; see `open_message_field`."""
        return _open(self.account_sealer, sealed, field, event, context)


def _open(
    sealer: FieldSealer, sealed: Sealed, field: str, event: Event, context: Context
) -> str:
    try:
        return sealer.open(
            sealed, context.event_id, event.event_type, field, event.event_key
        )
    except DecryptError:
        raise PermanentError(f"the field {field} cannot be opened") from None
