"""AU-3: what is written cannot pretend to be something else."""

import unicodedata

import pytest

from libs.chassis.audit import encoded_text
from libs.chassis.audit.chain import record_hash

_CONTROLS = [chr(code) for code in (*range(32), 127, *range(128, 160))]
_OTHERS = list("\u2028\u2029\u200b\u202a\u202e\u2066\u2069\ufeff\u00ad\u061c\u200f")
_OTHERS += [chr(code) for code in (*range(0x2060, 0x2065), *range(0x206A, 0x2070))]
_OTHERS += [chr(code) for code in (*range(0xE0020, 0xE0028), *range(0xFFF9, 0xFFFC))]
_TRICKS = [
    "\r\n2026-01-01 session.started admin",
    "\x1b[2J\x1b[1;31madmin\x1b[0m",
    "a\nb",
    "\x1b]0;title\x07",
    "\\u{a}",
    "\ud800",
]
HOSTILE = [f"Ann{bad}Bob" for bad in _CONTROLS + _OTHERS] + _TRICKS


@pytest.mark.parametrize("name", HOSTILE, ids=[f"{n}" for n in range(len(HOSTILE))])
def test_au_3_hostile_name_is_encoded(name):
    """No raw CR, LF, ESC or other invisible character is left, and two stay two."""
    encoded = encoded_text(name)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        for character in encoded
    )
    record_hash({"name": encoded})


def test_au_3_covers_a_hundred_names_that_stay_apart():
    """The encoding can be undone: no two names become the same."""
    assert len(HOSTILE) >= 100
    encoded = {encoded_text(name) for name in HOSTILE}
    assert len(encoded) == len(set(HOSTILE))
    assert encoded_text("a\nb") == "a\\u{a}b"
    assert encoded_text("Zoë 李") == "Zoë 李"


def test_long_text_is_cut():
    """A record has a size."""
    assert len(encoded_text("x" * 10_000)) == 256
