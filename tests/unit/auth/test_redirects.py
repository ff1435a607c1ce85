"""Where a sign-in may lead: nowhere off the site (OI-3)."""

import pytest

from services.auth.domain import Redirects
from services.auth.domain.errors import RedirectInvalidError

PATHS = ("/", "/app", "/app/settings")
NATIVE = ("parley://signed-in", "https://app.example.test/signed-in")
REDIRECTS = Redirects("https://chat.example.test", PATHS, NATIVE)
CHALLENGE = "c" * 43

HOSTILE = [
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\\/evil.test",
    "%2f%2fevil.test",
    "/%2f%2fevil.test",
    "/%2e%2e//evil.test",
    "/%5cevil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "/app\r\nLocation: https://evil.test",
    "/app%0d%0aLocation:%20https://evil.test",
    "/app\n",
    "\n/app",
    " /app",
    "https://evil.test",
    "https://chat.example.test",
    "https://chat.example.test.evil.test/app",
    "https:evil.test",
    "https:/evil.test",
    "http:///evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "/@evil.test",
    "@evil.test",
    ".evil.test",
    ":80@evil.test",
    "/app/../..//evil.test",
    "/app/..",
    "/app//",
    "/app?next=//evil.test",
    "/app#//evil.test",
    "/APP",
    "/app/",
    "/ap",
    "app",
    "",
    "/\u2215evil.test",
    "/\uff0fevil.test",
    "/\ud800",
    "\x00/app",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_oi_3_no_other_path_is_taken(path):
    """OI-3: 0 off-site; a path is one of the list, whole, or none."""
    with pytest.raises(RedirectInvalidError):
        REDIRECTS.browser(path)


@pytest.mark.parametrize("path", HOSTILE)
def test_oi_3_hostile_setting_leads_nowhere_either(path):
    """OI-3: a careless setting does not open the door."""
    redirects = Redirects("https://chat.example.test", (path,))
    try:
        address = redirects.browser(path).address
    except RedirectInvalidError:
        return
    assert path in ("/APP", "/app/", "/ap")
    assert address == f"https://chat.example.test{path}"


@pytest.mark.parametrize("path", PATHS)
def test_oi_3_listed_path_leads_to_the_web_client(path):
    """OI-3: always on the public origin."""
    destination = REDIRECTS.browser(path)
    assert destination.address == f"https://chat.example.test{path}"
    assert destination.challenge is None
    assert REDIRECTS.fallback.address == "https://chat.example.test/"


@pytest.mark.parametrize(
    "address",
    [
        *NATIVE,
        "http://127.0.0.1:4711",
        "http://127.0.0.1:1/",
        "http://127.0.0.1:65535/signed-in/here",
        "http://[::1]:4711/x",
    ],
)
def test_native_client_is_reached_on_loopback_or_by_its_claim(address):
    """RFC 8252: any loopback port; anything else exactly as it was allowed."""
    destination = REDIRECTS.client(address, CHALLENGE, "s")
    assert (destination.address, destination.challenge) == (address, CHALLENGE)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:4711/x",
        "http://127.0.0.1/x",
        "http://127.0.0.1:0/x",
        "http://127.0.0.1:65536/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.2:80/x",
        "http://127.0.0.1:80@evil.test/x",
        "http://127.0.0.1:80.evil.test/x",
        "http://127.0.0.1.evil.test:80/x",
        "http://127.0.0.1:80//evil.test",
        "http://127.0.0.1:80/x?y",
        "http://127.0.0.1:80/x#y",
        "http://127.0.0.1:80/x\r\n",
        "http://127.1:80/x",
        "http://2130706433:80/x",
        "http://0.0.0.0:80/x",
        "http://10.0.0.1:80/x",
        "https://127.0.0.1:80/x",
        "HTTP://127.0.0.1:80/x",
        "parley://signed-in/",
        "parley://signed-in.evil",
        "PARLEY://signed-in",
        "javascript:alert(1)",
        "https://app.example.test/signed-in/more",
        "",
    ],
)
def test_oi_3_no_other_native_address_is_taken(address):
    """OI-3, RFC 8252, section 8: no prefix, no other host, no second reading."""
    with pytest.raises(RedirectInvalidError):
        REDIRECTS.client(address, CHALLENGE, "s")


@pytest.mark.parametrize("challenge", ["", "c" * 42, "c" * 44, "c" * 42 + "=", "plain"])
def test_native_client_needs_a_challenge(challenge):
    """RFC 7636: without one, the code would be anybody's who sees it."""
    with pytest.raises(RedirectInvalidError):
        REDIRECTS.client("http://127.0.0.1:4711", challenge, "s")
