"""Writes mails and pushes from templates, in the reader's language."""

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.notification.delivery.catalogue import Speech
from services.notification.domain.conversations import Conversation, excerpt_of
from services.notification.domain.delivery import (
    ORDERED,
    Delivery,
    Notice,
    NoticeKind,
)
from services.notification.domain.devices import Device
from services.notification.domain.people import Person
from services.notification.ports import Line, Mail, Push

SUBJECT_NAME_CHARACTERS = 80
PUSH_TEXT_CHARACTERS = 240

# The token stands behind '#': a fragment never reaches a server's log or a referrer.
_LINKS = {
    NoticeKind.VERIFICATION: "/verify.html#token={token}",
    NoticeKind.WELCOME: "/",
    NoticeKind.RESET: "/reset.html#token={token}",
    NoticeKind.PASSWORD_VOIDED: "/reset.html#token={token}",
    NoticeKind.EMAIL_CHANGE: "/confirm-email.html#token={token}",
    NoticeKind.EMAIL_STOP: "/stop-email-change.html#token={token}",
    NoticeKind.DELETION_REQUESTED: "/",
    NoticeKind.INVITATION: "/invite.html#token={token}",
}
_IGNORABLE = frozenset(
    {NoticeKind.VERIFICATION, NoticeKind.RESET, NoticeKind.EMAIL_CHANGE}
)
# Nobody has shown yet that these addresses are theirs: no words of a stranger's choice,
# which a name is, are sent there. Who invites is known and is named in the text.
_NAMELESS = frozenset(
    {NoticeKind.VERIFICATION, NoticeKind.EMAIL_CHANGE, NoticeKind.INVITATION}
)
_ALARMING = frozenset(
    {
        NoticeKind.PASSWORD_CHANGED,
        NoticeKind.PASSWORD_GUESSED,
        NoticeKind.SESSION_REUSED,
        NoticeKind.EMAIL_CHANGED,
        NoticeKind.MFA_CHANGED,
        NoticeKind.IDENTITY_CHANGED,
        NoticeKind.DELETION_REQUESTED,
        NoticeKind.DELETION_CANCELLED,
    }
)


class TemplateComposer:
    """Writes from the templates of this package; HTML is escaped by default.

    Args:
        public_url: Where links lead, without a final slash; from the settings, never
            from a request.
    """

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._site = urlsplit(self._public_url).netloc or self._public_url
        self._templates = Environment(
            loader=PackageLoader("services.notification.delivery", "templates"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def notice(self, delivery: Delivery, notice: Notice) -> Mail:
        """Write a mail about an account; see `Composer.notice`."""
        speech = Speech(notice.locale)
        kind = notice.kind
        name = excerpt_of(notice.name, SUBJECT_NAME_CHARACTERS)
        body = f"{kind.value}.body.{notice.change}"
        if not speech.has(body):
            body = f"{kind.value}.body"
        return self._mail(
            delivery,
            speech,
            address=notice.address,
            name="" if kind in _NAMELESS else name,
            subject=speech.say(f"{kind.value}.subject", name=name),
            template="notice",
            body=speech.say(body, name=name, time=_end(notice)),
            button=self._button(speech, notice),
            valid_until=_valid_until(speech, notice),
            warning=_warning(speech, notice),
            footer=speech.say("footer", site=self._site),
        )

    def missed(
        self,
        delivery: Delivery,
        reader: Person,
        conversation: Conversation,
        lines: Sequence[Line],
    ) -> Mail:
        """Write a mail about missed messages; see `Composer.missed`."""
        speech = Speech(reader.locale)
        more = delivery.more_count
        return self._mail(
            delivery,
            speech,
            address=reader.email or "",
            name=excerpt_of(reader.display_name, SUBJECT_NAME_CHARACTERS),
            subject=_subject(speech, conversation, lines),
            template="missed",
            body=speech.say("missed.body"),
            messages=[_spoken(speech, line) for line in lines],
            more=(
                speech.say(
                    "missed.more.one" if more == 1 else "missed.more", count=more
                )
                if more
                else ""
            ),
            button=(
                speech.say("missed.button"),
                f"{self._public_url}/#conversation={conversation.conversation_id}",
            ),
            footer=speech.say("footer_missed", site=self._site),
        )

    def push(
        self, delivery: Delivery, reader: Person, device: Device, line: Line
    ) -> Push:
        """Write a push; see `Composer.push`.

        It names the sender; the text only if the reader asked for it.
        """
        speech = Speech(reader.locale)
        name = line.sender_name or speech.say("somebody")
        body = speech.say("push.body", name=name)
        if reader.preferences.include_content:
            body = excerpt_of(
                line.excerpt.text or speech.say("attachment"), PUSH_TEXT_CHARACTERS
            )
        excerpt = line.excerpt
        data = {
            "kind": "message",
            "push_id": delivery.delivery_id,
            "event_id": delivery.origin.event_id,
            "conversation_id": excerpt.conversation_id,
            "message_id": excerpt.message_id,
            "seq": str(excerpt.seq),
        }
        if delivery.origin.trace_id:
            data["trace_id"] = delivery.origin.trace_id
        return Push(
            push_id=delivery.delivery_id,
            token=device.token,
            tag=excerpt.message_id,
            title=name if reader.preferences.include_content else "Parley",
            body=body,
            data=data,
            lifetime=delivery.expires_at - delivery.created_at,
            expires_at=delivery.expires_at,
        )

    def _button(self, speech: Speech, notice: Notice) -> tuple[str, str] | None:
        path = _LINKS.get(notice.kind)
        if path is None or notice.change == ORDERED:
            return None
        url = self._public_url + path.format(token=quote(notice.token or "", safe=""))
        return speech.say(f"{notice.kind.value}.button"), url

    def _mail(  # the parts of a mail
        self,
        delivery: Delivery,
        speech: Speech,
        *,
        address: str,
        name: str,
        subject: str,
        template: str,
        **parts: object,
    ) -> Mail:
        greeting = (
            speech.say("greeting", name=name)
            if name
            else speech.say("greeting_nameless")
        )
        values = {
            **parts,
            "speech": speech,
            "subject": subject,
            "greeting": greeting,
        }
        return Mail(
            mail_id=delivery.delivery_id,
            address=address,
            name=name,
            subject=subject,
            text=self._templates.get_template(f"{template}.txt").render(values),
            html=self._templates.get_template(f"{template}.html").render(values),
            created_at=delivery.created_at,
            locale=speech.language,
            trace_id=delivery.origin.trace_id,
        )


def _subject(speech: Speech, conversation: Conversation, lines: Sequence[Line]) -> str:
    if conversation.title:
        title = excerpt_of(conversation.title, SUBJECT_NAME_CHARACTERS)
        return speech.say("missed.subject_titled", title=title)
    names = dict.fromkeys(line.sender_name or speech.say("somebody") for line in lines)
    listed = excerpt_of(", ".join(names), SUBJECT_NAME_CHARACTERS)
    return speech.say("missed.subject", name=listed)


def _spoken(speech: Speech, line: Line) -> dict[str, str]:
    return {
        "sender": line.sender_name or speech.say("somebody"),
        "text": line.excerpt.text or speech.say("attachment"),
        "time": line.excerpt.sent_at.strftime("%H:%M UTC"),
    }


def _valid_until(speech: Speech, notice: Notice) -> str:
    if notice.token is None:
        return ""
    return speech.say("valid_until", time=_end(notice)) if notice.valid_until else ""


def _end(notice: Notice) -> str:
    end = notice.valid_until
    return end.strftime("%Y-%m-%d %H:%M") if end else ""


def _warning(speech: Speech, notice: Notice) -> str:
    if notice.kind in _IGNORABLE:
        return speech.say("ignore")
    is_alarming = notice.kind in _ALARMING and notice.change != ORDERED
    return speech.say("act") if is_alarming else ""
