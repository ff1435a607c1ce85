"""Mail addresses: their normal form and the keyed index that stands for them."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from services.auth.domain.errors import EmailInvalidError

EMAIL_CODE_POINTS_MAX = 254


@dataclass(frozen=True)
class EmailAddress:
    """A mail address in normal form.

    Attributes:
        written: As its owner writes it, domain in lower case; mails go here.
        key: Wholly lower case; two addresses with the same key are one account.
    """

    written: str
    key: str

    @classmethod
    def absent(cls) -> "EmailAddress":
        """Return what stands where there is no address: nothing parses to it."""
        return cls(written="", key="")

    @property
    def is_absent(self) -> bool:
        """Whether there is none: nothing is found by it, no mail goes out."""
        return not self.key

    @classmethod
    def parse(cls, text: str) -> "EmailAddress":
        """Read an address.

        Internal domains without a public suffix are accepted: Parley runs inside
        organisations; so is ``.test`` (RFC 6761). The local part is ASCII, since not
        every mail server takes SMTPUTF8; international domains become Punycode.

        Raises:
            EmailInvalidError: The text is none, or longer than 254 characters.
        """
        if len(text) > EMAIL_CODE_POINTS_MAX:
            raise EmailInvalidError
        try:
            found = validate_email(
                text.strip(),
                check_deliverability=False,
                globally_deliverable=False,
                allow_smtputf8=False,
                test_environment=True,
            )
        except (EmailNotValidError, UnicodeError):
            raise EmailInvalidError from None
        written = f"{found.local_part}@{found.ascii_domain}"
        return cls(written=written, key=written.lower())


class BlindIndex:
    """Turns private text into a value that can be compared but not read.

    HMAC-SHA256 under a key derived from each key of a ring, so a stolen database
    cannot be searched by guessing addresses. The current key makes new values; a
    lookup tries all of them, which lets the ring rotate without downtime.

    Args:
        current_id: Key that makes new values.
        keys: Every key by id, 32 bytes each.
        purpose: Separates the values of different uses of the same ring.
    """

    def __init__(
        self, *, current_id: str, keys: Mapping[str, bytes], purpose: str
    ) -> None:
        label = f"parley/auth/blind-index/{purpose}/v1".encode()
        self._keys = {
            key_id: hmac.digest(key, label, hashlib.sha256)
            for key_id, key in keys.items()
        }
        self._current_id = current_id

    def value(self, text: str) -> str:
        """Return the value of a text under the current key."""
        return self._value(self._current_id, text)

    def candidates(self, text: str) -> tuple[str, ...]:
        """Return the values of a text under every key, the current one first."""
        others = [key_id for key_id in self._keys if key_id != self._current_id]
        return tuple(
            self._value(key_id, text) for key_id in [self._current_id, *others]
        )

    def _value(self, key_id: str, text: str) -> str:
        digest = hmac.digest(self._keys[key_id], text.encode(), hashlib.sha256)
        return f"{key_id}:{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
