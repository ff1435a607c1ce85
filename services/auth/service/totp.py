"""Codes of authenticator apps (RFC 6238): SHA-1, 6 digits, steps of 30 s by our clock.

The parameters are those that every app knows; some ignore any others.
"""

import hmac
from datetime import datetime
from typing import Final

import pyotp

from services.auth.domain import TotpSeed

STEP_SECONDS: Final = 30
_NEARBY_STEPS: Final = (-1, 0, 1)


def new_totp_secret() -> str:
    """Return a seed of 160 random bits, in Base32."""
    return pyotp.random_base32(32)


def totp_uri(secret: str, *, account: str, issuer: str) -> str:
    """Return what an app reads from a QR code (``otpauth://``)."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def matching_step(seed: TotpSeed, code: str, at: datetime) -> int | None:
    """Return the step whose code this is and that is still unspent, else None.

    Args:
        seed: Its last accepted step and those before are spent (MF-1).
        code: As typed; white space does not count.
        at: Server time; a code of the step before or after it is good too.
    """
    typed = "".join(code.split()).encode("utf-8", "replace")
    generator = pyotp.TOTP(seed.secret, interval=STEP_SECONDS)
    now = int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in (now + shift for shift in _NEARBY_STEPS):
        is_match = hmac.compare_digest(generator.generate_otp(step).encode(), typed)
        if is_match and step > seed.last_step and found is None:
            found = step
    return found
