"""What a real SMTP conversation means: replies, reuse, lost connections."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from libs.kernel import SystemClock
from services.notification.delivery.smtp import SmtpMailSender, SmtpSettings, probe
from services.notification.domain.delivery import (
    Accepted,
    Outcome,
    Postponed,
    Rejected,
    Unreachable,
)
from services.notification.ports import Mail

pytestmark = pytest.mark.integration

MAIL = Mail(
    mail_id="0193a5c4-7f1e-7abc-8def-0123456789ab",
    address="bob@example.org",
    name="Bob",
    subject="Hello",
    text="hello\n.\nworld\n",
    html="<p>hello</p>",
    created_at=SystemClock().now(),
    locale="en",
)


@dataclass
class Server:
    """An SMTP server that answers as it is told."""

    port: int = 0
    is_international: bool = False
    sender_reply: str = "250 OK"
    recipient_reply: str = "250 OK"
    content_reply: str = "250 OK"
    sessions: set[int] = field(default_factory=set)
    contents: list[bytes] = field(default_factory=list)
    protocols: list[SMTP] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take or refuse the sender."""
        del server, options
        self.sessions.add(id(session))
        envelope.mail_from = address
        return self.sender_reply

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take or refuse the recipient."""
        del server, session, options
        if self.recipient_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_reply

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take or refuse the content."""
        del server, session
        assert isinstance(envelope.content, bytes)
        self.contents.append(envelope.content)
        return self.content_reply


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server on a port of its own."""
    made = Server()

    def connected() -> SMTP:
        made.protocols.append(SMTP(made, enable_SMTPUTF8=made.is_international))
        return made.protocols[-1]

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(connected, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()


@pytest.fixture
async def sender(server: Server) -> AsyncIterator[SmtpMailSender]:
    """A sender to the server, without TLS."""
    settings = SmtpSettings(
        "127.0.0.1", server.port, "Parley <p@example.org>", starttls=False
    )
    made = SmtpMailSender(settings, SystemClock())
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({}, Accepted("250")),
        ({"recipient_reply": "451 later"}, Postponed("smtp_451")),
        ({"recipient_reply": "450 greylisted"}, Postponed("smtp_450")),
        (
            {"recipient_reply": "550 who"},
            Rejected("smtp_550", is_target_dead=True),
        ),
        ({"recipient_reply": "552 full"}, Rejected("smtp_552")),
        ({"content_reply": "452 no space"}, Postponed("smtp_452")),
        ({"content_reply": "554 spam"}, Rejected("smtp_554")),
        ({"content_reply": "550 policy"}, Rejected("smtp_550")),
        ({"content_reply": "421 closing"}, Unreachable("smtp_421")),
        ({"sender_reply": "550 not you"}, Unreachable("smtp_550")),
        ({"sender_reply": "451 not now"}, Unreachable("smtp_451")),
    ],
)
async def test_replies_have_their_meaning(
    server: Server,
    sender: SmtpMailSender,
    replies: dict[str, str],
    expected: Outcome,
) -> None:
    """The mailbox, the mail or the server: each refusal has its own consequence."""
    for name, reply in replies.items():
        setattr(server, name, reply)

    assert await sender.send(MAIL) == expected


async def test_mails_share_a_connection(server: Server, sender: SmtpMailSender) -> None:
    """A refused recipient does not spoil it for the next mail."""
    await sender.send(MAIL)
    server.recipient_reply = "550 who"
    await sender.send(MAIL)
    server.recipient_reply = "250 OK"

    assert await sender.send(MAIL) == Accepted("250")
    assert len(server.protocols) == 1
    assert len(server.contents) == 2
    assert b"\r\n.\r\nworld" in server.contents[0]


async def test_a_closed_connection_is_replaced(
    server: Server, sender: SmtpMailSender
) -> None:
    """A server that hung up in between costs nothing."""
    await sender.send(MAIL)
    transport = server.protocols[0].transport
    assert transport is not None
    transport.close()
    await asyncio.sleep(0.05)

    assert await sender.send(MAIL) == Accepted("250")
    assert len(server.protocols) == 2


async def test_nobody_there(sender: SmtpMailSender, server: Server) -> None:
    """A port that nobody listens on is unreachable, for probe and mail."""
    nowhere = SmtpSettings("127.0.0.1", 1, "p@example.org", starttls=False)

    assert await SmtpMailSender(nowhere, SystemClock()).send(MAIL) == Unreachable(
        "smtp_unreachable"
    )
    await probe("127.0.0.1", server.port)
    with pytest.raises(OSError, match="Connect"):
        await probe("127.0.0.1", 1)


async def test_se_1_each_connection_proves_itself_with_the_password_of_then() -> None:
    """SE-1: a password that changed is used as soon as a connection is made anew."""
    made, shown = Server(), []

    def checked(*asked: object) -> AuthResult:
        account = asked[-1]
        assert isinstance(account, LoginPassword)
        shown.append(account.password)
        return AuthResult(success=True)

    def connected() -> SMTP:
        return SMTP(made, authenticator=checked, auth_require_tls=False)

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(connected, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    passwords = iter(["one", "two"])
    settings = SmtpSettings(
        "127.0.0.1",
        port,
        "p@example.org",
        username="parley",
        password=lambda: next(passwords),
        starttls=False,
        idle_seconds=-1,
    )
    sender = SmtpMailSender(settings, SystemClock())
    assert [await sender.send(MAIL) for _ in range(2)] == [Accepted("250")] * 2
    await sender.close()
    listener.close()
    assert shown == [b"one", b"two"]


async def test_tls_is_not_given_up(server: Server) -> None:
    """A server without STARTTLS gets no mail where TLS is asked for."""
    settings = SmtpSettings("127.0.0.1", server.port, "p@example.org")

    assert await SmtpMailSender(settings, SystemClock()).send(MAIL) == Unreachable(
        "smtp_unreachable"
    )
    assert server.contents == []


async def test_an_international_address_is_written_to(
    server: Server, sender: SmtpMailSender
) -> None:
    """Where the server speaks SMTPUTF8."""
    server.is_international = True

    assert await sender.send(replace(MAIL, address="bjørn@example.org")) == Accepted(
        "250"
    )
    assert "To: Bob <bjørn@example.org>".encode() in server.contents[0]


async def test_a_malformed_address_never_reaches_the_server(
    server: Server, sender: SmtpMailSender
) -> None:
    """It is refused here; an international one needs the server's word."""
    bad = await sender.send(replace(MAIL, address="bob@@example"))
    international = await sender.send(replace(MAIL, address="bjørn@example.org"))

    worse = await sender.send(replace(MAIL, address="bjørn@example.org\r\nBcc: x"))

    assert bad == worse == Rejected("address_malformed", is_target_dead=True)
    assert international == Rejected("smtputf8_unsupported")
    assert server.contents == []
