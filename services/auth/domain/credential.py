"""Rules of passwords (PW-2 to PW-5): length and a blocklist, no composition rules."""

import re
import unicodedata

from services.auth.domain.address import EmailAddress
from services.auth.domain.errors import PasswordInvalidError

PASSWORD_CODE_POINTS_MIN = 15
PASSWORD_CODE_POINTS_MIN_WITH_MFA = 8
PASSWORD_CODE_POINTS_MAX = 256
"""At most four bytes each: no password has more than 1,024 bytes (PW-3)."""

_PRODUCT_WORDS = ("parley", "parley chat", "team chat")
_SEPARATORS = re.compile(r"[\W_]+")


def check_new_password(
    password: str, *, minimum: int = PASSWORD_CODE_POINTS_MIN
) -> None:
    """Accept a password by its length.

    Args:
        password: As typed. Any character counts, spaces and emoji too.
        minimum: In code points; 8 where a second factor is enforced (PW-2).

    Raises:
        PasswordInvalidError: Shorter, longer than 256 code points, or not encodable
            at all.
    """
    if len(password) < minimum:
        raise PasswordInvalidError("too_short", minimum)
    normalise_password(password)


def normalise_password(password: str) -> bytes:
    """Return the bytes that are hashed: NFKC, UTF-8.

    The cap is checked before any work that grows with the length.

    Raises:
        PasswordInvalidError: As for `check_new_password`, apart from the minimum.
    """
    if len(password) > PASSWORD_CODE_POINTS_MAX:
        raise PasswordInvalidError("too_long", PASSWORD_CODE_POINTS_MAX)
    try:
        return unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        raise PasswordInvalidError("not_text") from None


def compared_forms(text: str) -> frozenset[str]:
    """Return the forms in which a password and a listed word are compared.

    One without regard to case and width, one without separators too: ``Pass-Word``
    is ``password``. Always the whole text, never a part of it (PW-5).
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    return frozenset({plain, _SEPARATORS.sub("", plain)}) - {""}


def personal_words(
    email: EmailAddress | None, display_name: str, handle: str | None
) -> frozenset[str]:
    """Return what somebody who knows the person and the product tries first."""
    words = [*_PRODUCT_WORDS, display_name, *display_name.split(), handle or ""]
    if email is not None:
        local_part, _, domain = email.key.partition("@")
        words += [email.key, local_part, domain, *domain.split(".")]
    return frozenset().union(*(compared_forms(word) for word in words))
