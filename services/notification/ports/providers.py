"""The way out: words, mail and push."""

from collections.abc import Sequence
from typing import Protocol

from services.notification.domain.conversations import (
    Conversation,
)
from services.notification.domain.delivery import (
    Delivery,
    Notice,
    Outcome,
)
from services.notification.domain.devices import Device
from services.notification.domain.people import (
    Person,
)
from services.notification.ports.records import Line, Mail, Push


class Composer(Protocol):
    """Turns facts into the words of a push or a mail, in the reader's language."""

    def notice(self, delivery: Delivery, notice: Notice) -> Mail:
        """Write a mail about an account."""
        ...

    def missed(
        self,
        delivery: Delivery,
        reader: Person,
        conversation: Conversation,
        lines: Sequence["Line"],
    ) -> Mail:
        """Write a mail about missed messages, oldest first."""
        ...

    def push(
        self,
        delivery: Delivery,
        reader: Person,
        device: Device,
        line: "Line",
    ) -> Push:
        """Write a push about one message."""
        ...


class MailSender(Protocol):
    """A mail provider."""

    async def send(self, mail: Mail) -> Outcome:
        """Hand over one mail; every failure is an outcome, none is raised."""
        ...


class PushSender(Protocol):
    """A push provider."""

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Hand over pushes; one outcome each, in order; none is raised."""
        ...
