"""Mails as files: the raw message beside a small JSON of its envelope."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from libs.kernel import is_id, new_id

Mail = dict[str, Any]


class Mailbox:
    """A folder of mails; ids sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, sender: str, recipients: Sequence[str], raw: bytes) -> str:
        """Keep a mail and return its id; the envelope file comes last."""
        mail_id = new_id()
        (self._folder / f"{mail_id}.eml").write_bytes(raw)
        envelope = {
            "id": mail_id,
            "received_at": datetime.now(UTC).isoformat(),
            "sender": sender,
            "recipients": list(recipients),
        }
        unfinished = self._folder / f"{mail_id}.new"
        unfinished.write_text(json.dumps(envelope))
        unfinished.replace(self._folder / f"{mail_id}.json")
        return mail_id

    def find(self, to: str | None = None, after: str | None = None) -> list[Mail]:
        """Return mails in order of arrival, headers and bodies decoded.

        Args:
            to: Only those to this recipient, in any case of letters.
            after: Only those that came after the mail of this id, or after this
                ISO 8601 time with offset.
        """
        found = []
        for path in sorted(self._folder.glob("*.json")):
            envelope = json.loads(path.read_text())
            if after and not _came_after(envelope, after):
                continue
            recipients = [recipient.lower() for recipient in envelope["recipients"]]
            if to is None or to.lower() in recipients:
                found.append(self._decode(envelope))
        return found

    def read(self, mail_id: str) -> Mail | None:
        """Return one mail, None if there is none of that id."""
        path = self._folder / f"{mail_id}.json"
        if not is_id(mail_id) or not path.exists():
            return None
        return self._decode(json.loads(path.read_text()))

    def _decode(self, envelope: Mail) -> Mail:
        raw = (self._folder / f"{envelope['id']}.eml").read_bytes()
        message = message_from_bytes(raw, policy=default)
        return envelope | {
            "subject": str(message["subject"] or ""),
            "message_id": str(message["message-id"] or "").strip(),
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": _body(message, "plain"),
            "html": _body(message, "html"),
        }


def _came_after(envelope: Mail, after: str) -> bool:
    if is_id(after):
        return bool(envelope["id"] > after)
    received_at = datetime.fromisoformat(envelope["received_at"])
    return received_at > datetime.fromisoformat(after)


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
