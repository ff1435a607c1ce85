"""Length rules of passwords (PW-2, PW-3, PW-4): no composition rules, no rotation."""

import unicodedata

from services.auth.domain.errors import PasswordInvalidError

PASSWORD_CODE_POINTS_MIN = 15
PASSWORD_CODE_POINTS_MAX = 256
"""At most four bytes each: no password has more than 1,024 bytes (PW-3)."""


def check_new_password(password: str) -> None:
    """Accept a password for an account with one factor.

    Args:
        password: As typed. Any character counts, spaces and emoji too.

    Raises:
        PasswordInvalidError: Shorter than 15 or longer than 256 code points, or not
            encodable at all.
    """
    if len(password) < PASSWORD_CODE_POINTS_MIN:
        raise PasswordInvalidError("too_short", PASSWORD_CODE_POINTS_MIN)
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
        raise PasswordInvalidError("not_text", 0) from None
