"""Spare codes for who lost the app and the keys (MF-5)."""

import base64
import secrets
from typing import Final

from services.auth.domain import (
    RECOVERY_CODES,
    hash_secret,
)

_BYTES: Final = 16
_LETTERS: Final = 25  # of 5 bits: 125, more than the 112 that allow a plain hash
_GROUP: Final = 5


def new_recovery_codes() -> tuple[str, ...]:
    """Return ten codes of 125 random bits, in groups of five letters and digits."""
    return tuple(_new_code() for _ in range(RECOVERY_CODES))


def hash_recovery_code(code: str) -> str:
    """Return what is stored of a code; case, hyphens and spaces do not count."""
    plain = "".join(code.replace("-", "").split()).upper()
    return hash_secret(plain)


def _new_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(_BYTES)).decode()[:_LETTERS]
    groups = (letters[at : at + _GROUP] for at in range(0, _LETTERS, _GROUP))
    return "-".join(groups)
