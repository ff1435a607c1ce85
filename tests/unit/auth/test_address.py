"""Mail addresses and their blind index."""

import pytest

from services.auth.domain import (
    BlindIndex,
    EmailAddress,
)
from services.auth.domain.errors import EmailInvalidError


@pytest.mark.parametrize(
    ("text", "written", "key"),
    [
        ("Ann.Lee@Example.COM", "Ann.Lee@example.com", "ann.lee@example.com"),
        (" bob@example.test\n", "bob@example.test", "bob@example.test"),
        ("eve@münchen.de", "eve@xn--mnchen-3ya.de", "eve@xn--mnchen-3ya.de"),
        ("a+b@c.de", "a+b@c.de", "a+b@c.de"),
        ("ops@intranet", "ops@intranet", "ops@intranet"),
    ],
)
def test_address_has_one_normal_form(text, written, key):
    """Case of the domain and outer space do not make another account."""
    found = EmailAddress.parse(text)
    assert (found.written, found.key) == (written, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b.de",
        "a@b@c.de",
        "a b@c.de",
        "a@b..de",
        "a@[127.0.0.1]",
        '"a b"@c.de',
        "ü@example.com",
        "a\x00@b.de",
        "a@b.de\r\nBcc: x@y.de",
        "\ud800@b.de",
        "x" * 250 + "@b.de",
        "root@localhost",
        "Ann <a@b.de>",
    ],
)
def test_text_that_is_no_address_is_refused(text):
    """Nothing that could break a mail's header or an account's identity passes."""
    with pytest.raises(EmailInvalidError):
        EmailAddress.parse(text)


def _index(current, *ids, purpose="email"):
    keys = {key_id: key_id.encode() * 16 for key_id in ids}
    return BlindIndex(current_id=current, keys=keys, purpose=purpose)


def test_blind_index_is_stable_and_tells_nothing():
    """The same text has the same value, which holds no part of the text."""
    index = _index("k1", "k1")
    value = index.value("ann@example.test")
    assert value == index.value("ann@example.test")
    assert "ann" not in value
    assert value != index.value("ann@example.tesu")


def test_blind_index_depends_on_its_purpose():
    """Values of two uses of a ring cannot be joined."""
    other = _index("k1", "k1", purpose="throttle")
    assert _index("k1", "k1").value("x") != other.value("x")


def test_blind_index_finds_values_of_an_older_key():
    """After a rotation an old value is among the candidates, the current one first."""
    old = _index("k1", "k1").value("x")
    rotated = _index("k2", "k1", "k2")
    assert rotated.candidates("x")[0] == rotated.value("x") != old
    assert old in rotated.candidates("x")
