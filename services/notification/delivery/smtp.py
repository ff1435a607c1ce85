"""Mail over SMTP with STARTTLS and AUTH; a few connections are kept for reuse."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY
from email.utils import parseaddr
from pathlib import Path

import aiosmtplib
import structlog

from libs.kernel import Clock
from services.notification.domain.conversations import excerpt_of
from services.notification.domain.delivery import (
    Accepted,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
    Unreachable,
)
from services.notification.ports import Mail

log = structlog.get_logger()

_INTERNATIONAL = re.compile(r"[^\s\x00-\x1f\x7f()<>\[\]:;@\\,\"]+@[^\s@\x00-\x2c\x2f]+")
_PERMANENT = 500
_CLOSING = 421
# RFC 5321 section 4.2.3, RFC 7504: the mailbox, not the message or the session.
_DEAD_MAILBOX_CODES = frozenset({521, 550, 551, 553, 556})


@dataclass(frozen=True)
class SmtpSettings:
    """Where and how mail is handed over.

    Attributes:
        sender: The From address, with or without a name.
        username: None: no AUTH.
        password: Asked for each connection: it may change meanwhile (SE-1).
        starttls: Whether the connection must become TLS before anything else.
        tls: Whether it is TLS from the first byte (port 465).
        ca_file: Certificates to trust; None: the system's.
        timeout_seconds: For each command, and twice of it up to RCPT in all.
        data_seconds: For the content and the answer to it; servers scan meanwhile.
        idle_seconds: How long a connection is kept without use.
        connections: Kept at most, and so mails on the way at the same time.
    """

    host: str
    port: int
    sender: str
    username: str | None = None
    password: Callable[[], str] | None = field(default=None, repr=False)
    starttls: bool = True
    tls: bool = False
    ca_file: Path | None = None
    timeout_seconds: float = 4
    data_seconds: float = 15
    idle_seconds: float = 15
    connections: int = 4


@dataclass
class _Connection:
    client: aiosmtplib.SMTP
    used_at: float


class SmtpMailSender:
    """Hands mails to one SMTP server.

    Args:
        settings: Where and how.
        clock: Tells how long a connection was idle.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[_Connection] = []
        self._tls = (
            ssl.create_default_context(cafile=settings.ca_file)
            if settings.starttls or settings.tls
            else None
        )

    async def send(self, mail: Mail) -> Outcome:
        """Hand over one mail; see `MailSender.send`.

        A server that cannot be reached, greets with an error, or refuses sender or
        account is unreachable: that is no fault of the mail. An answer that is lost
        after the content went out is unknown.
        """
        try:
            content = wire_form(mail, self._settings.sender)
        except ValueError:
            return Rejected("address_malformed", is_target_dead=True)
        async with self._slots:
            try:
                async with asyncio.timeout(self._settings.timeout_seconds * 2) as limit:
                    async with self._connection() as client:
                        refusal = await self._envelope(client, mail.address)
                        if refusal is not None:
                            return refusal
                        limit.reschedule(None)
                        return await self._content(client, content)
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                log.warning("smtp_unreachable", error_type=type(error).__name__)
                return Unreachable(_slug(error))

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._quit(self._idle.pop().client)

    async def _envelope(self, client: aiosmtplib.SMTP, address: str) -> Outcome | None:
        """Name sender and recipient; return why the recipient is refused, or None.

        What it raises makes the server unreachable.
        """
        sender = parseaddr(self._settings.sender)[1]
        is_ascii = address.isascii()
        if not is_ascii and not client.supports_extension("smtputf8"):
            return Rejected("smtputf8_unsupported")
        encoding = "ascii" if is_ascii else "utf-8"
        options = [] if is_ascii else ["SMTPUTF8"]
        await client.mail(sender, options=options, encoding=encoding)
        try:
            await client.rcpt(address, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            return _refused(error.code, is_recipient=True)
        return None

    async def _content(self, client: aiosmtplib.SMTP, content: bytes) -> Outcome:
        """Send the content; from here on a lost answer leaves it unknown."""
        seconds = self._settings.data_seconds
        try:
            async with asyncio.timeout(seconds):
                response = await client.data(content, timeout=seconds)
        except aiosmtplib.SMTPDataError as error:
            return _refused(error.code, is_recipient=False)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            return Unknown(_slug(error))
        return Accepted(str(response.code))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = await self._fresh_idle() or await self._connect()
        is_usable = False
        try:
            yield client
            is_usable = client.is_connected  # it is reset before its next use
        finally:
            if is_usable:
                self._idle.append(_Connection(client, self._clock.monotonic()))
            else:
                client.close()

    async def _fresh_idle(self) -> aiosmtplib.SMTP | None:
        """Return a kept connection that still answers, or None."""
        while self._idle:
            kept = self._idle.pop()
            idle_seconds = self._clock.monotonic() - kept.used_at
            if idle_seconds > self._settings.idle_seconds:
                await self._quit(kept.client)
            elif await self._reset(kept.client):
                return kept.client
            else:
                kept.client.close()
        return None

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=settings.password() if settings.password else None,
            local_hostname="localhost",
            timeout=settings.timeout_seconds,
            use_tls=settings.tls,
            start_tls=settings.starttls,
            tls_context=self._tls,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except BaseException:
            client.close()
            raise
        return client

    async def _reset(self, client: aiosmtplib.SMTP) -> bool:
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return False
        return True

    async def _quit(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.quit(timeout=1)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            log.debug("smtp_connection_dropped")
        finally:
            client.close()


async def probe(host: str, port: int, *, is_tls: bool = False) -> None:
    """Check that a mail server greets; a port that speaks TLS first need only open.

    Raises:
        OSError: It cannot be reached.
        ConnectionError: It does not greet, or with an error.
    """
    reader, writer = await asyncio.open_connection(host, port)
    if is_tls:
        writer.close()
        return
    try:
        greeting = await reader.readline()
        if not greeting.startswith(b"220"):
            raise ConnectionError("the mail server does not greet")
        writer.write(b"QUIT\r\n")
        await writer.drain()
    finally:
        writer.close()


def wire_form(mail: Mail, sender: str) -> bytes:
    """Return a mail as it goes over the wire; the same for every try.

    Raises:
        ValueError: The recipient's address is none.
    """
    sender_name, sender_address = parseaddr(sender)
    domain = sender_address.rpartition("@")[2] or "localhost"
    message = EmailMessage(policy=WIRE_POLICY.clone(utf8=not mail.address.isascii()))
    message["From"] = Address(sender_name, addr_spec=sender_address)
    message["To"] = _recipient(mail)
    message["Subject"] = _header(mail.subject)
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.mail_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = mail.locale
    if mail.trace_id:
        message["X-Parley-Trace"] = mail.trace_id
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    # A boundary of our own: the library's random one would differ with each try.
    message.set_boundary(f"=_{mail.mail_id}")
    return message.as_bytes()


def _recipient(mail: Mail) -> Address:
    local, _, domain = mail.address.rpartition("@")
    try:
        if not mail.address.isascii() and _INTERNATIONAL.fullmatch(mail.address):
            # The parser takes no letters beyond ASCII (RFC 6532) in a whole address.
            return Address(_header(mail.name), username=local, domain=domain)
        return Address(_header(mail.name), addr_spec=mail.address)
    except (ValueError, IndexError, MessageError):  # the parser's words for no address
        # Not chained: they quote it.
        raise ValueError("the recipient's address is none") from None


def _header(text: str) -> str:
    """Return a text without line breaks and control characters: no second header."""
    return excerpt_of(text, 200)


def _refused(code: int, *, is_recipient: bool) -> Outcome:
    if code == _CLOSING:
        return Unreachable("smtp_421")
    if code < _PERMANENT:
        return Postponed(f"smtp_{code}")
    is_dead = is_recipient and code in _DEAD_MAILBOX_CODES
    return Rejected(f"smtp_{code}", is_target_dead=is_dead)


def _slug(error: Exception) -> str:
    """Name a failure without the server's words, which may quote an address."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"smtp_{error.code}"
    if isinstance(error, TimeoutError):
        return "smtp_timeout"
    return "smtp_unreachable"
