"""An SMTP server that takes every mail, as a provider's relay would, and shows it.

AUTH over STARTTLS is required, with a certificate of the stack's own authority. Each
mail is one file below ``mail/``; `mail_view` shows them.
"""

import asyncio
import ssl
from collections.abc import Callable

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.embedded.certificates import certificate_files
from deploy.embedded.layout import Stack
from deploy.embedded.passwords import SMTP_USER, Passwords
from deploy.embedded.stubs.mail_view import mail_view
from deploy.embedded.stubs.mailbox import Mailbox
from deploy.embedded.stubs.serving import run_stand_in, run_until_signal, start_site

_SIZE_LIMIT_BYTES = 25 * 1024 * 1024


class Sink:
    """Handler of aiosmtpd: stores mails, refuses whom it was told to refuse."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._replies: dict[str, tuple[str, int]] = {}

    def refuse(self, recipient: str, reply: str, count: int) -> None:
        """Answer the next mails to a recipient with an SMTP reply, ``451 later``."""
        self._replies[recipient.lower()] = (reply, count)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        """Take or refuse one recipient."""
        del server, session, rcpt_options
        reply, count = self._replies.get(address.lower(), ("", 0))
        if count > 0:
            self._replies[address.lower()] = (reply, count - 1)
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Store one mail."""
        del server, session
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        mail_id = self._mailbox.store(envelope.mail_from or "", envelope.rcpt_tos, raw)
        return f"250 OK queued as {mail_id}"


def authenticator(password: str) -> Callable[..., AuthResult]:
    """Return aiosmtpd's check of the one account there is."""

    def check(
        server: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        login: object,
    ) -> AuthResult:
        del server, session, envelope, mechanism
        is_known = isinstance(login, LoginPassword) and login == LoginPassword(
            SMTP_USER.encode(), password.encode()
        )
        # handled=False lets the server itself answer 535.
        return AuthResult(success=is_known, handled=False)

    return check


async def serve(stack: Stack, host: str) -> None:
    """Serve SMTP and the view until a signal ends it."""
    certificate, key = certificate_files(stack, "smtp")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    mailbox = Mailbox(stack.folder("mail"))
    sink = Sink(mailbox)
    check = authenticator(Passwords(stack).of("smtp", SMTP_USER))

    def connected() -> SMTP:
        return SMTP(
            sink,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=check,
            data_size_limit=_SIZE_LIMIT_BYTES,
            enable_SMTPUTF8=True,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connected, host, stack.port("smtp"))
    runner = await start_site(mail_view(mailbox, sink), host, stack.port("smtp_view"))
    try:
        await run_until_signal()
    finally:
        server.close()
        await runner.cleanup()


if __name__ == "__main__":
    run_stand_in(serve)
