"""The routing table: longest prefix, methods, and what a wrong table says."""

from collections.abc import Sequence
from importlib import resources

import msgspec
import pytest

from services.gateway.domain.errors import MethodNotAllowedError, RouteNotFoundError
from services.gateway.domain.route import Route
from services.gateway.domain.routing import (
    RouteTable,
    RouteTableError,
    parse_routes,
)

SERVICES = frozenset({"auth", "chat", "media", "notification", "project"})
CLASSES = frozenset({"default", "login", "refresh"})
OWN_TABLE = (resources.files("services.gateway") / "routes.json").read_bytes()


def table_of(*routes: Route) -> RouteTable:
    """Return a table of some routes."""
    return RouteTable(routes, services=SERVICES, limit_classes=CLASSES)


def own_table() -> RouteTable:
    """Return the table that comes with the gateway."""
    return parse_routes(
        OWN_TABLE,
        services=SERVICES,
        limit_classes=CLASSES,
        networks={"admin": ["10.0.0.0/8"]},
    )


def parsed(*entries: dict[str, object], **more: object) -> RouteTable:
    """Return a table read from entries to chat."""
    shared = {"methods": ["GET"], "service": "chat"}
    document = {"routes": [shared | entry for entry in entries], **more}
    return parse_routes(
        msgspec.json.encode(document),
        services=SERVICES,
        limit_classes=CLASSES,
        networks={"admin": ["10.0.0.0/8"]},
    )


def route(prefix: str, methods: Sequence[str] = ("GET",), **fields: object) -> Route:
    """Return a route to chat."""
    return msgspec.convert(
        {"prefix": prefix, "methods": methods, "service": "chat", **fields}, Route
    )


def test_the_longest_prefix_wins() -> None:
    """A more special entry hides the more general one below it."""
    general = route("/api/v1/auth")
    special = route("/api/v1/auth/login", is_anonymous=True)
    table = table_of(general, special)
    assert table.find("GET", "/api/v1/auth/login") is special
    assert table.find("GET", "/api/v1/auth/login/x") is special
    assert table.find("GET", "/api/v1/auth/loginx") is general
    assert table.find("GET", "/api/v1/auth") is general


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/meow", "/internal/sessions", "/", "/metrics"]
)
def test_a_path_that_no_prefix_matches_is_not_found(path: str) -> None:
    """Prefixes match whole segments only."""
    with pytest.raises(RouteNotFoundError):
        table_of(route("/api/v1/me")).find("GET", path)


def test_a_known_path_with_another_method_names_the_methods() -> None:
    """405 lists all methods of the prefix, over its entries."""
    table = table_of(
        route("/api/v1/things", ["GET"], is_anonymous=True),
        route("/api/v1/things", ["POST", "DELETE"]),
    )
    with pytest.raises(MethodNotAllowedError) as caught:
        table.find("PUT", "/api/v1/things/7")
    assert caught.value.allowed == ("DELETE", "GET", "POST")
    assert table.find("GET", "/api/v1/things").is_anonymous
    assert not table.find("POST", "/api/v1/things").is_anonymous


@pytest.mark.parametrize(
    "entry",
    [
        {"prefix": "/api/v1/x", "methods": ["GET"], "service": "unknown"},
        {"prefix": "/api/v1/x", "methods": ["FETCH"], "service": "chat"},
        {"prefix": "/api/v1/x", "methods": [], "service": "chat"},
        {"prefix": "/api/v1/x/", "methods": ["GET"], "service": "chat"},
        {"prefix": "/internal", "methods": ["GET"], "service": "chat"},
        {"prefix": "/api/v1/x", "methods": ["GET"], "service": "chat", "extra": 1},
        {"prefix": "/api/v1/x", "methods": ["GET"]},
        {
            "prefix": "/api/v1/x",
            "methods": ["GET"],
            "service": "chat",
            "limit_class": "unknown",
        },
        {
            "prefix": "/api/v1/x",
            "methods": ["GET"],
            "service": "chat",
            "timeout_seconds": 0,
        },
        {
            "prefix": "/api/v1/x",
            "methods": ["GET"],
            "service": "chat",
            "timeout_seconds": 20,
            "answer_timeout_seconds": 19,
        },
    ],
)
def test_a_wrong_entry_stops_the_start(entry: dict[str, object]) -> None:
    """A table that names what is not there is refused as a whole."""
    document = msgspec.json.encode({"routes": [entry]})
    with pytest.raises(RouteTableError):
        parse_routes(document, services=SERVICES, limit_classes=CLASSES)


@pytest.mark.parametrize("document", [b"", b"[]", b'{"routes": [], "x": []}', b"{}"])
def test_another_document_is_no_table(document: bytes) -> None:
    """Only the one shape is a table."""
    with pytest.raises(RouteTableError):
        parse_routes(document, services=SERVICES, limit_classes=CLASSES)


def test_two_entries_for_one_prefix_and_method_contradict() -> None:
    """Which of two would win is not left to their order."""
    with pytest.raises(RouteTableError, match="stands twice"):
        table_of(route("/api/v1/x"), route("/api/v1/x"))


def test_only_the_listed_routes_of_the_own_table_are_anonymous() -> None:
    """Whoever adds an anonymous route has to say so here too."""
    table = own_table()
    anonymous = {entry.prefix for entry in table.routes if entry.is_anonymous}
    assert anonymous == {
        "/api/v1/auth/backchannel-logout",
        "/api/v1/auth/email",
        "/api/v1/auth/forgot",
        "/api/v1/auth/invite",
        "/api/v1/auth/jwks.json",
        "/api/v1/auth/login",
        "/api/v1/auth/logout",
        "/api/v1/auth/oidc",
        "/api/v1/auth/mfa",
        "/api/v1/auth/passkey",
        "/api/v1/auth/password-strength",
        "/api/v1/auth/refresh",
        "/api/v1/auth/register",
        "/api/v1/auth/reset",
        "/api/v1/auth/token",
        "/api/v1/auth/verification",
        "/api/v1/auth/verify",
    }


def test_cookies_of_the_own_table_pass_to_auth_alone() -> None:
    """No other service ever sees a cookie."""
    table = own_table()
    assert {entry.service for entry in table.routes if entry.has_cookies} == {"auth"}


@pytest.mark.parametrize(
    ("scopes", "method", "is_admitted"),
    [
        ((), "POST", True),
        (("files:read",), "GET", True),
        (("files:read",), "HEAD", True),
        (("files:read",), "POST", False),
        (("files:write",), "DELETE", True),
        (("files:write",), "GET", False),
        (("admin", "profile:write"), "GET", False),
    ],
)
def test_a_restricted_token_needs_the_routes_scope(
    scopes: tuple[str, ...], method: str, *, is_admitted: bool
) -> None:
    """The first for reading, the last for all else; without restriction none."""
    entry = route("/api/v1/media", scopes=["files:read", "files:write"])
    assert entry.admits(method, scopes) is is_admitted


def test_a_route_without_scopes_takes_no_restricted_token() -> None:
    """What nobody thought of is closed; so is the account's security."""
    assert not route("/api/v1/x").admits("GET", ["admin"])
    table = own_table()
    for path in ("/api/v1/me/mfa", "/api/v1/me/tokens", "/api/v1/auth/step-up"):
        found = table.find("POST", path)
        assert not found.admits("POST", ["admin", "profile:write"])


def test_a_token_reads_administration_and_acts_on_nobody() -> None:
    """The scope ``admin`` opens what is read; an act asks for a person's proof."""
    table = own_table()
    path = "/api/v1/admin/users"
    assert table.find("GET", path).admits("GET", ["admin"])
    assert not table.find("POST", path).admits("POST", ["admin"])


def test_sends_and_reads_go_before_exports_and_searches() -> None:
    """What can wait is refused first when there is too much to do."""
    table = own_table()
    exports = {one for one in table.routes if "/export/" in one.prefix}
    searches = table.find("GET", "/api/v1/conversations/channels")
    assert len(exports) == 5
    assert {one.priority for one in (*exports, searches)} == {"low"}
    sends = table.find("POST", "/api/v1/conversations/x/messages")
    assert sends.priority == "high"


@pytest.mark.parametrize("scopes", [["root"], ["files:read"] * 3])
def test_a_table_with_unknown_scopes_is_refused(scopes: list[str]) -> None:
    """At start, not at the first request."""
    with pytest.raises(RouteTableError, match="scopes"):
        table_of(route("/api/v1/x", scopes=scopes))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"allowed_networks": ["10.0.0.1/8"]}, "host bits set"),
        ({"allowed_networks": ["office"]}, "does not appear to be"),
        ({"denied_networks": []}, "one entry at least"),
        ({"target_prefix": "/internal/x"}, "matching regex"),
        ({"target_prefix": "/api/v1/../internal"}, "matching regex"),
        ({"request_headers": {"set": {"X-Y": "1"}}}, "lower case"),
        ({"request_headers": {"set": {"x-y": "1\r\nz: 2"}}}, "printable"),
        ({"request_headers": {"set": {"authorization": "1"}}}, "the gateway's own"),
        ({"request_headers": {"remove": ["x-request-id"]}}, "the gateway's own"),
        ({"request_headers": {"sets": {}}}, "unknown field"),
        ({"response_headers": {"set": {"content-length": "1"}}}, "the gateway's own"),
        ({"response_headers": {"remove": ["x-frame-options"]}}, "the gateway's own"),
        ({"priority": "highest"}, "Invalid enum value"),
        ({"deprecation": {"since": "soon"}}, "Invalid RFC3339"),
        (
            {"deprecation": {"since": "2026-02-01", "sunset": "2026-01-31"}},
            "sunset is before since",
        ),
        (
            {"deprecation": {"since": "2026-02-01", "successor": "/api/v2/x"}},
            "succeeds it",
        ),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(
    fields: dict[str, object], sentence: str
) -> None:
    """Networks, changes of headers and paths, and dates are checked at start."""
    with pytest.raises(RouteTableError, match=sentence):
        parsed({"prefix": "/api/v1/x", **fields})


def test_networks_are_allowed_and_denied_by_route() -> None:
    """A denied network is denied even if it is allowed; names mean the settings'."""
    entry = {
        "prefix": "/api/v1/x",
        "allowed_networks": ["admin", "2001:db8::/32", "192.0.2.7"],
        "denied_networks": ["10.9.0.0/16"],
    }
    (found,) = parsed(entry).routes
    for address in ("10.1.2.3", "2001:db8::1", "192.0.2.7", "::ffff:10.1.2.3"):
        assert found.serves(address)
    for address in ("10.9.2.3", "192.0.2.8", "2001:db9::1", "unknown", ""):
        assert not found.serves(address)


def test_administration_is_served_to_its_networks() -> None:
    """The own table leaves to the settings from where."""
    found = own_table().find("GET", "/api/v1/admin/users")
    assert found.serves("10.1.2.3")
    assert not found.serves("192.0.2.1")


def test_a_version_may_be_served_by_another() -> None:
    """The path is mapped on the way in, a location on the way out."""
    (found,) = parsed(
        {"prefix": "/api/v2/rooms", "target_prefix": "/api/v1/conversations"}
    ).routes
    assert found.target("/api/v2/rooms") == "/api/v1/conversations"
    assert found.target("/api/v2/rooms/7") == "/api/v1/conversations/7"
    assert found.outside(b"/api/v1/conversations/7") == b"/api/v2/rooms/7"
    assert found.outside(b"/api/v1/conversations?a") == b"/api/v2/rooms?a"
    assert found.outside(b"/api/v1/conversationsx") == b"/api/v1/conversationsx"


def test_a_deprecated_version_says_so_on_each_of_its_routes() -> None:
    """RFC 9745, RFC 8594 and a link to what comes after; a route's own word wins."""
    table = parsed(
        {"prefix": "/api/v1/x"},
        {"prefix": "/api/v1/y", "deprecation": {"since": "2027-01-01"}},
        {"prefix": "/api/v2/x"},
        versions={
            "v1": {
                "since": "2026-12-01",
                "sunset": "2027-12-01",
                "successor": "/api/v2",
                "information": "https://parley.test/versions",
            }
        },
    )
    by_version = table.find("GET", "/api/v1/x").deprecation
    assert by_version is not None
    assert by_version.headers() == [
        (b"deprecation", b"@1796083200"),
        (b"sunset", b"Wed, 01 Dec 2027 00:00:00 GMT"),
        (b"link", b'</api/v2>; rel="successor-version"'),
        (
            b"link",
            b'<https://parley.test/versions>; rel="deprecation"; type="text/html"',
        ),
    ]
    own = table.find("GET", "/api/v1/y").deprecation
    assert own is not None
    assert own.headers() == [(b"deprecation", b"@1798761600")]
    assert table.find("GET", "/api/v2/x").deprecation is None


def test_a_version_that_nothing_has_is_no_version() -> None:
    """A slip of the pen deprecates nothing, and says so."""
    with pytest.raises(RouteTableError, match="no route of version v3"):
        parsed({"prefix": "/api/v1/x"}, versions={"v3": {"since": "2026-12-01"}})
