"""Providers in memory, with the outcomes they are told to have."""

from collections.abc import Sequence

from services.notification.domain.delivery import Accepted, Outcome
from services.notification.ports import Mail, Push


class MemoryMailSender:
    """Keeps what it is given.

    Attributes:
        sent: Accepted mails in order.
        outcomes: What the next sends answer; when empty, they are accepted.
    """

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.tried: list[Mail] = []
        self.outcomes: list[Outcome] = []

    async def send(self, mail: Mail) -> Outcome:
        """Answer as told; see `MailSender.send`."""
        self.tried.append(mail)
        outcome = self.outcomes.pop(0) if self.outcomes else Accepted()
        if isinstance(outcome, Accepted):
            self.sent.append(mail)
        return outcome


class MemoryPushSender:
    """Keeps what it is given.

    Attributes:
        sent: Accepted pushes in order.
        outcomes: What the next pushes are answered; when empty, they are accepted.
    """

    def __init__(self) -> None:
        self.sent: list[Push] = []
        self.tried: list[Push] = []
        self.outcomes: list[Outcome] = []

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Answer as told; see `PushSender.send`."""
        answers = []
        for push in pushes:
            self.tried.append(push)
            outcome = self.outcomes.pop(0) if self.outcomes else Accepted()
            if isinstance(outcome, Accepted):
                self.sent.append(push)
            answers.append(outcome)
        return answers
