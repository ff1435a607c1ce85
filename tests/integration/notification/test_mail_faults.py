"""A mail server that takes mails and does not say so."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from pymongo.asynchronous.database import AsyncDatabase

from tests.integration.notification.conftest import Outside, eventually, final_state
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.integration, pytest.mark.faults]

HANG_SECONDS = 6


class SilentServer:
    """Stores every mail; while `is_silent`, its answer comes too late.

    Others' mails may be due while it stands in for the sink, so it counts by recipient.
    """

    def __init__(self) -> None:
        self.is_silent = True
        self._taken: list[tuple[str, str]] = []

    def ids_to(self, address: str) -> list[str]:
        """Return the Message-ID of each mail to somebody that came in whole."""
        return [message_id for to, message_id in self._taken if to == address]

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take one mail."""
        del server, session
        content = envelope.content
        assert isinstance(content, bytes)
        message_id = str(message_from_bytes(content)["message-id"])
        self._taken += [(recipient, message_id) for recipient in envelope.rcpt_tos]
        if self.is_silent:
            await asyncio.sleep(HANG_SECONDS)
        return "250 taken"


@pytest.fixture
async def silent(service: RunningStack) -> AsyncIterator[SilentServer]:
    """Notification with a silent mail server, and its usual one afterwards."""
    sink = SilentServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    usual = {
        "NOTIFICATION_POLL_SECONDS": "0.1",
        "NOTIFICATION_EMAIL_DELAY_SECONDS": "2",
    }
    await asyncio.to_thread(service.stop, "notification")
    await asyncio.to_thread(
        service.start,
        "notification",
        {
            **usual,
            "NOTIFICATION_SMTP_HOST": "127.0.0.1",
            "NOTIFICATION_SMTP_PORT": str(port),
            "NOTIFICATION_SMTP_USERNAME": "",
            "NOTIFICATION_SMTP_STARTTLS": "false",
            "NOTIFICATION_SMTP_DATA_SECONDS": "3",
        },
    )
    yield sink
    sink.is_silent = False
    await asyncio.to_thread(service.stop, "notification")
    server.close()
    await asyncio.to_thread(service.start, "notification", usual)


async def test_killed_between_acceptance_and_storing_it(
    service: RunningStack,
    outside: Outside,
    address: str,
    silent: SilentServer,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """The mail comes twice at most, under one Message-ID, and is told of once."""
    event_id = await outside.verification_requested(address)

    async def is_taken() -> object:
        return silent.ids_to(address)

    await eventually(is_taken)
    service.kill("notification")
    silent.is_silent = False
    await service.until_ready("notification")

    delivery = await final_state(database, causes=event_id)
    assert delivery["state"] == "sent"
    [(message_id, copies)] = Counter(silent.ids_to(address)).items()
    assert message_id.startswith(f"<{delivery['_id']}@")
    assert copies == 2


async def test_a_server_that_never_answers_gets_two_copies(
    outside: Outside,
    address: str,
    silent: SilentServer,
    database: AsyncDatabase[dict[str, Any]],
) -> None:
    """After two lost answers the delivery is given up, not sent a third time."""
    event_id = await outside.verification_requested(address)

    delivery = await final_state(database, seconds=40, causes=event_id)

    assert (delivery["state"], delivery["reason"]) == ("failed", "unconfirmed")
    assert list(Counter(silent.ids_to(address)).values()) == [2]
