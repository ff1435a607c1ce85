"""Events that notification turns into mails; what is private in them is sealed."""

from dataclasses import dataclass
from typing import Any, cast

from libs.crypto import FieldSealer
from libs.events import Event, Transaction
from libs.kernel import EventId, new_id
from services.auth.domain import User


@dataclass(frozen=True)
class AccountNotices:
    """Publishes what an account's owner must be told."""

    transport: FieldSealer

    def publish(
        self,
        transaction: Transaction,
        event_class: type[Event],
        sealed: dict[str, str],
        **fields: Any,  # noqa: ANN401 - the event's own
    ) -> None:
        """Publish an event with sealed fields in a running transaction.

        Args:
            transaction: The action's.
            event_class: Its key is among `fields`.
            sealed: Private fields, in clear; each is bound to event, field and key.
            fields: The others.
        """
        event_id = EventId(new_id())
        subject = fields[event_class.event_key_field]
        secrets = {
            name: self.transport.seal(
                text, event_id, event_class.event_type, name, subject
            )
            for name, text in sealed.items()
        }
        event = cast("Any", event_class)(**fields, **secrets)
        transaction.publish(event, event_id=event_id)

    def tell(
        self,
        transaction: Transaction,
        event_class: type[Event],
        user: User,
        sealed: dict[str, str],
        **fields: Any,  # noqa: ANN401 - the event's own
    ) -> None:
        """Publish an event about a user, addressed in the user's language.

        Nothing is published to who has no address: a bot.
        """
        if user.email.is_absent:
            return
        self.publish(
            transaction,
            event_class,
            sealed,
            user_id=user.user_id,
            display_name=user.display_name,
            locale=user.locale,
            **fields,
        )
