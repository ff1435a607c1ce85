"""Codes of authenticator apps and spare codes (MF-1, MF-5)."""

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from services.auth.domain import (
    SecondFactors,
    TotpSeed,
)
from services.auth.domain.errors import SecondFactorInvalidError
from services.auth.service.recovery_codes import hash_recovery_code, new_recovery_codes
from services.auth.service.totp import matching_step, new_totp_secret, totp_uri

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=30)
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


def _code(seed, at):
    return pyotp.TOTP(seed.secret).at(at)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_mf_1_vectors_of_the_rfc(second, code):
    """MF-1: RFC 6238 appendix B for SHA-1, the last six of its eight digits."""
    at = datetime.fromtimestamp(second, UTC)
    seed = TotpSeed(RFC_SECRET, at)
    assert matching_step(seed, code, at) == second // 30


def test_mf_1_one_step_of_clock_error_either_way():
    """MF-1: the step before and after are good, the next ones are not."""
    seed = TotpSeed(new_totp_secret(), NOW)
    good = [
        shift
        for shift in range(-3, 4)
        if matching_step(seed, _code(seed, NOW + shift * STEP), NOW) is not None
    ]
    assert good == [-1, 0, 1]


def test_mf_1_an_accepted_step_and_those_before_are_spent():
    """MF-1: a code is good once, and no older one after it."""
    seed = TotpSeed(new_totp_secret(), NOW)
    step = matching_step(seed, _code(seed, NOW), NOW)
    spent = TotpSeed(seed.secret, NOW, last_step=step)
    assert matching_step(spent, _code(seed, NOW), NOW) is None
    assert matching_step(spent, _code(seed, NOW - STEP), NOW) is None
    assert matching_step(spent, _code(seed, NOW + STEP), NOW) == step + 1
    factors = SecondFactors("u", totp=spent)
    with pytest.raises(SecondFactorInvalidError):
        factors.after_step(step)


@pytest.mark.parametrize(
    "typed", ["", "12345", "\uff11" * 6, "\ud800" * 6, "0x1234", "000000000000"]
)
def test_mf_1_what_is_no_code_is_refused_not_an_error(typed):
    """MF-1: any text at all is only a wrong code."""
    assert matching_step(TotpSeed(RFC_SECRET, NOW), typed, NOW) is None


def test_mf_1_spaces_in_a_code_do_not_count():
    """MF-1: apps show two groups of three."""
    seed = TotpSeed(RFC_SECRET, NOW)
    code = _code(seed, NOW)
    assert matching_step(seed, f" {code[:3]} {code[3:]} ", NOW) is not None


def test_mf_4_a_seed_is_in_no_text_of_the_objects_that_hold_it():
    """MF-4: what is logged of the aggregate by mistake tells nothing."""
    secret = new_totp_secret()
    assert len(base64.b32decode(secret)) == 20
    assert secret not in repr(SecondFactors("u", totp=TotpSeed(secret, NOW)))
    uri = totp_uri(secret, account="ann@example.test", issuer="Parley")
    assert uri.startswith(f"otpauth://totp/Parley:ann%40example.test?secret={secret}")


def test_mf_5_recovery_codes_are_ten_of_125_bits():
    """MF-5: enough bits for a plain hash; how they are typed does not matter."""
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == 25 for code in codes)
    plain = codes[0].replace("-", " ").lower()
    assert hash_recovery_code(plain) == hash_recovery_code(codes[0])


def test_mf_5_a_recovery_code_is_spent_and_goes_with_the_last_factor():
    """MF-5: single use; without a factor to stand in for there are none."""
    factors = SecondFactors("u").with_candidate(RFC_SECRET, NOW).with_totp(1, "ab")
    left = factors.after_recovery_code("a")
    assert left.recovery_hashes == ("b",)
    with pytest.raises(SecondFactorInvalidError):
        left.after_recovery_code("a")
    assert factors.without_totp().recovery_hashes == ()
