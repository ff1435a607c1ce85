"""Paths that two servers could read differently are refused."""

import pytest

from services.gateway.domain.errors import PathInvalidError
from services.gateway.domain.paths import check_query, normal_path

GOOD = [
    b"/api/v1/projects",
    b"/api/v1/projects/0193a5c4-7f1e-7abc-8def-0123456789ab",
    b"/api/v1/auth/jwks.json",
    b"/api/v1/users/%C3%A9l%C3%A8ve",
    b"/api/v1/reactions/%E2%9D%A4%EF%B8%8F%E2%80%8D%F0%9F%94%A5",
    b"/api/v1/reactions/%F0%9F%8F%B4%F3%A0%81%A7%F3%A0%81%A2%F3%A0%81%BF",
    b"/api/v1/reactions/%F0%9F%AB%A8",
    b"/api/v1/a..b",
    b"/api/v1/a%20b%40%5B%60%7B%3A",
    b"/api/v1/a;b=c,d",
]
BAD = [
    b"",
    b"api/v1/projects",
    b"*",
    b"/",
    b"/api/v1/",
    b"/api//v1",
    b"//evil.example/api",
    b"/api/./v1",
    b"/api/../internal",
    b"/api/v1/..",
    b"/api/%2e%2e/internal",
    b"/api/%2E/v1",
    b"/api/v1%2fprojects",
    b"/api/v1%2Fprojects",
    b"/api/v1%5cprojects",
    b"/api\\v1",
    b"/api/%252e%252e/internal",
    b"/api/v1/%00",
    b"/api/v1/%0d%0aX: y",
    b"/api/v1/%7f",
    b"/api/v1/%c2%85",
    b"/api/v1/%e2%80%a8",
    b"/api/v1/%e2%80%ae",
    b"/api/v1/%ff",
    b"/api/v1/%ed%a0%80",
    b"/api/v1/me/%74okens",
    b"/api/v1/me/m%66a",
    b"/api/v1/conversations/%63hannels",
    b"/api/v1/%4De",
    b"/api/v1/me/%5Fa",
    b"/api/v1/a%2Db",
    b"/api/v1/a%7eb",
    b"/api/v1/%30",
    b"/api/v1/%zz",
    b"/api/v1/%4",
    b"/api/v1/a b",
    b"/api/v1/\xc3\xa9",
    b"/api/v1/a#b",
    b"/api/v1/a?b",
    b"/api/v1/<script>",
    b"http://evil.example/api",
    b"/api/v1/" + b"a" * 3_000,
]


@pytest.mark.parametrize("raw", GOOD)
def test_a_normal_path_is_passed_on_unchanged(raw: bytes) -> None:
    """A path in its normal form comes out byte by byte as it went in."""
    assert normal_path(raw).encode() == raw


@pytest.mark.parametrize("raw", BAD)
def test_any_other_path_is_refused(raw: bytes) -> None:
    """Whatever is not in normal form is an error and never cleaned up."""
    with pytest.raises(PathInvalidError) as caught:
        normal_path(raw)
    assert caught.value.code == "path_invalid"


@pytest.mark.parametrize("raw", [b"a b", b"a\r\nb", b"a\x00", b"\xc3\xa9", b"\x7f"])
def test_a_query_with_other_than_visible_characters_is_refused(raw: bytes) -> None:
    """Nothing in a query can end the request line."""
    with pytest.raises(PathInvalidError):
        check_query(raw)


def test_a_percent_encoded_query_passes() -> None:
    """Escapes in a query are the service's to read."""
    check_query(b"cursor=abc%2F%20&limit=5&q=%F0%9F%98%80")
