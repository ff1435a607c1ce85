"""What a hostile or broken client sends, and nothing of it may hurt.

Placeholders in braces are filled in by the test: ids of a real conversation, of one
that belongs to strangers, of nothing at all.
"""

from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
NOTHING = "0193a5c4-7f1e-7abc-8def-0123456789ab"
DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
OPERATORS = ({"$gt": ""}, {"$ne": None}, ["$where"], {"a[$ne]": 1})


@dataclass(frozen=True)
class BadRequest:
    """One malformed HTTP request.

    Attributes:
        name: Says what is wrong.
        method: HTTP method.
        path: Below ``/api/v1/``, or absolute where it starts with a slash.
        body: Sent as JSON, or as it is where it is bytes.
        statuses: Answers that are right.
        is_signed_in: Whether a valid access token goes with it.
    """

    name: str
    method: str
    path: str
    body: Any = None
    statuses: tuple[int, ...] = (400, 422)
    is_signed_in: bool = True
    headers: dict[str, str] = field(default_factory=dict)


def account(**changes: Any) -> dict[str, Any]:
    """Return a registration that would be right, with changes."""
    return {
        "email": "mallory@example.org",
        "password": "a long enough password",
        "display_name": "Mallory",
        **changes,
    }


def message(**changes: Any) -> dict[str, Any]:
    """Return a message that would be right, with changes."""
    return {"client_message_id": NOTHING, "text": "hello", **changes}


ACCOUNTS = [
    BadRequest("register: no body", "POST", "auth/register"),
    BadRequest("register: not JSON", "POST", "auth/register", b"{"),
    BadRequest("register: an array", "POST", "auth/register", []),
    BadRequest("register: a number", "POST", "auth/register", 7),
    BadRequest("register: empty", "POST", "auth/register", {}),
    BadRequest("register: NaN", "POST", "auth/register", b'{"email": NaN}'),
    BadRequest("register: 1e400", "POST", "auth/register", b'{"email": 1e400}'),
    BadRequest("register: too deep", "POST", "auth/register", DEEP),
    BadRequest(
        "register: bad UTF-8", "POST", "auth/register", b'{"email": "\xff\xfe"}'
    ),
    BadRequest(
        "register: lone surrogate",
        "POST",
        "auth/register",
        b'{"email":"a@example.org","password":"a long enough password",'
        b'"display_name":"\\ud800"}',
    ),
    BadRequest(
        "register: doubled key",
        "POST",
        "auth/register",
        b'{"email":"a@example.org","email":"b@example.org",'
        b'"password":"a long enough password","display_name":"x"}',
    ),
    BadRequest(
        "register: no address", "POST", "auth/register", account(email="nobody")
    ),
    BadRequest(
        "register: header in address",
        "POST",
        "auth/register",
        account(email="a@example.org\r\nBcc: b@example.org"),
    ),
    BadRequest(
        "register: long address",
        "POST",
        "auth/register",
        account(email="a" * 400 + "@example.org"),
    ),
    BadRequest(
        "register: short password", "POST", "auth/register", account(password="x" * 14)
    ),
    BadRequest(
        "register: long password", "POST", "auth/register", account(password="x" * 257)
    ),
    BadRequest(
        "register: password is a number", "POST", "auth/register", account(password=7)
    ),
    BadRequest(
        "register: empty name", "POST", "auth/register", account(display_name="")
    ),
    BadRequest(
        "register: control in name",
        "POST",
        "auth/register",
        account(display_name="Mal\u0000lory"),
    ),
    BadRequest(
        "register: unknown field", "POST", "auth/register", account(role="admin")
    ),
    *[
        BadRequest(
            f"login: operator {index}",
            "POST",
            "auth/login",
            {"email": "a@example.org", "password": operator},
        )
        for index, operator in enumerate(OPERATORS)
    ],
    BadRequest(
        "login: wrong password",
        "POST",
        "auth/login",
        {"email": "nobody@example.org", "password": "wrong wrong wrong wrong"},
        (401,),
        is_signed_in=False,
    ),
    BadRequest(
        "login: emoji",
        "POST",
        "auth/login",
        {"email": "emoji@example.org", "password": "\U0001f600" * 64},
        (401,),
        is_signed_in=False,
    ),
    BadRequest(
        "verify: unknown token",
        "POST",
        "auth/verify",
        {"token": "x" * 43, "password": "a long enough password"},
        (400, 401, 404, 410, 422),
    ),
    BadRequest(
        "verify: token is an object",
        "POST",
        "auth/verify",
        {"token": {"$gt": ""}, "password": "a long enough password"},
    ),
    BadRequest(
        "refresh: unknown token",
        "POST",
        "auth/refresh",
        {"refresh_token": "x" * 43},
        (401, 422),
    ),
    BadRequest("refresh: nothing", "POST", "auth/refresh", {}, (400, 401, 422)),
    BadRequest("me: no token", "GET", "me", statuses=(401,), is_signed_in=False),
    BadRequest(
        "me: garbage token",
        "GET",
        "me",
        statuses=(401,),
        is_signed_in=False,
        headers={"Authorization": "Bearer garbage"},
    ),
    BadRequest(
        "me: unsigned token",
        "GET",
        "me",
        statuses=(401,),
        is_signed_in=False,
        headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."},
    ),
    BadRequest(
        "me: basic",
        "GET",
        "me",
        statuses=(401,),
        is_signed_in=False,
        headers={"Authorization": "Basic YTpi"},
    ),
    BadRequest(
        "me: spoofed identity",
        "GET",
        "me",
        statuses=(401,),
        is_signed_in=False,
        headers={"X-User-Id": NOTHING, "X-Internal-Token": "x"},
    ),
    BadRequest(
        "handle: capital and space", "PUT", "me/handle", {"handle": "Not A Handle"}
    ),
    BadRequest(
        "handle: reserved", "PUT", "me/handle", {"handle": "admin"}, (400, 409, 422)
    ),
    BadRequest("profile: unknown zone", "PATCH", "me", {"time_zone": "Mars/Olympus"}),
    BadRequest("profile: own role", "PATCH", "me", {"roles": ["admin"]}),
    BadRequest("users: catastrophic pattern", "GET", "users?query=" + "(a%2B)%2B" * 60),
    BadRequest("users: bad limit", "GET", "users?query=a&limit=100000"),
    BadRequest("users: bad cursor", "GET", "users?query=ada&cursor=%00%ff"),
    BadRequest("users: nobody", "GET", f"users/{NOTHING}", statuses=(404,)),
]

CONVERSATIONS = [
    BadRequest("sync: a list", "POST", "sync", {"conversations": []}),
    BadRequest("sync: no id", "POST", "sync", {"conversations": {"1": 1}}),
    BadRequest("sync: below 0", "POST", "sync", {"conversations": {NOTHING: -1}}),
    BadRequest("sync: a text", "POST", "sync", {"user_revision": "1"}),
    BadRequest("sync/own: no revision", "GET", "sync/own"),
    BadRequest(
        "draft: a time of the client's",
        "PUT",
        "conversations/{group}/draft",
        {"text": "x", "saved_at": "2026-01-01T00:00:00Z"},
    ),
    BadRequest(
        "draft: a stranger's",
        "PUT",
        "conversations/{foreign}/draft",
        {"text": "x"},
        statuses=(404,),
    ),
    BadRequest(
        "mute: no such level", "PUT", "conversations/{group}/mute", {"level": "some"}
    ),
    BadRequest("bookmarks: bad cursor", "GET", "bookmarks?cursor=%7B%7D"),
    BadRequest("presence: no ids", "GET", "presence/users?ids=" + "x" * 36),
    BadRequest(
        "presence: no such level", "PUT", "presence/last-seen", {"last_seen": 1}
    ),
    BadRequest(
        "status: too long", "PUT", "presence/custom-status", {"text": "x" * 101}
    ),
    BadRequest("status: empty", "PUT", "presence/custom-status", {"text": " "}),
    BadRequest(
        "conversation: unknown kind",
        "POST",
        "conversations",
        {"kind": "cult", "member_ids": []},
    ),
    BadRequest(
        "conversation: members are no list",
        "POST",
        "conversations",
        {"kind": "group", "title": "t", "member_ids": "x"},
    ),
    BadRequest(
        "conversation: no such member",
        "POST",
        "conversations",
        {"kind": "group", "title": "t", "member_ids": [NOTHING]},
        (400, 404, 422),
    ),
    BadRequest(
        "conversation: direct with oneself",
        "POST",
        "conversations",
        {"kind": "direct", "member_ids": ["{me}"]},
    ),
    BadRequest(
        "conversation: long title",
        "POST",
        "conversations",
        {"kind": "group", "title": "t" * 10_000, "member_ids": ["{other}"]},
    ),
    BadRequest(
        "conversation: 100,000 members",
        "POST",
        "conversations",
        {"kind": "group", "title": "t", "member_ids": [NOTHING] * 25_000},
        (400, 413, 422),
    ),
    BadRequest(
        "conversation: nothing there",
        "GET",
        f"conversations/{NOTHING}",
        statuses=(404,),
    ),
    BadRequest(
        "conversation: a stranger's", "GET", "conversations/{foreign}", statuses=(404,)
    ),
    BadRequest(
        "conversation: bad id", "GET", "conversations/1", statuses=(400, 404, 422)
    ),
    BadRequest(
        "message: to a stranger's",
        "POST",
        "conversations/{foreign}/messages",
        message(),
        (404,),
    ),
    BadRequest(
        "message: empty", "POST", "conversations/{group}/messages", message(text="")
    ),
    BadRequest(
        "message: too long",
        "POST",
        "conversations/{group}/messages",
        message(text="x" * 16_001),
        (400, 413, 422),
    ),
    BadRequest(
        "message: too many bytes",
        "POST",
        "conversations/{group}/messages",
        message(text="\U0001f600" * 9_000),
        (400, 413, 422),
    ),
    BadRequest(
        "message: text is an object",
        "POST",
        "conversations/{group}/messages",
        message(text={"$gt": ""}),
    ),
    BadRequest(
        "message: bad client id",
        "POST",
        "conversations/{group}/messages",
        message(client_message_id="not-a-uuid"),
    ),
    BadRequest(
        "message: own seq",
        "POST",
        "conversations/{group}/messages",
        message(seq=1, sender_id=NOTHING),
    ),
    BadRequest(
        "message: body of 2 MB",
        "POST",
        "conversations/{group}/messages",
        b'{"text":"' + b"x" * 2_000_000 + b'"}',
        (413,),
    ),
    BadRequest(
        "message: as text/plain",
        "POST",
        "conversations/{group}/messages",
        b"hello",
        (400, 415, 422),
        headers={"Content-Type": "text/plain"},
    ),
    BadRequest("history: limit", "GET", "conversations/{group}/messages?limit=-1"),
    BadRequest(
        "history: before is text", "GET", "conversations/{group}/messages?before=abc"
    ),
    BadRequest(
        "history: before 2^63",
        "GET",
        "conversations/{group}/messages?before=9223372036854775808",
    ),
    BadRequest("changes: negative", "GET", "conversations/{group}/changes?since=-1"),
    BadRequest(
        "changes: operator", "GET", "conversations/{group}/changes?since[$gt]=1"
    ),
    BadRequest("read: beyond", "PUT", "conversations/{group}/read", {"seq": 2**63}),
    BadRequest("read: negative", "PUT", "conversations/{group}/read", {"seq": -1}),
    BadRequest(
        "member: unknown role",
        "POST",
        "conversations/{group}/members",
        {"user_id": NOTHING, "role": "emperor"},
    ),
]

OTHERS = [
    BadRequest("project: empty name", "POST", "projects", {"name": ""}),
    BadRequest("project: long name", "POST", "projects", {"name": "n" * 5_000}),
    BadRequest(
        "project: own owner", "POST", "projects", {"name": "n", "owner_id": NOTHING}
    ),
    BadRequest("project: nothing there", "GET", f"projects/{NOTHING}", statuses=(404,)),
    BadRequest(
        "project: collaborators of nothing",
        "POST",
        f"projects/{NOTHING}/collaborators",
        {"user_id": NOTHING, "role": "collaborator"},
        (404,),
    ),
    BadRequest(
        "upload: path as name",
        "POST",
        "media/uploads",
        {"file_name": "../../etc/passwd", "content_type": "image/png", "size_bytes": 9},
    ),
    BadRequest(
        "upload: nothing",
        "POST",
        "media/uploads",
        {"file_name": "a.png", "content_type": "image/png", "size_bytes": 0},
    ),
    BadRequest(
        "upload: a terabyte",
        "POST",
        "media/uploads",
        {"file_name": "a.png", "content_type": "image/png", "size_bytes": 10**12},
        (400, 413, 422),
    ),
    BadRequest(
        "upload: into a stranger's conversation",
        "POST",
        "media/uploads",
        {
            "file_name": "a.png",
            "content_type": "image/png",
            "size_bytes": 9,
            "conversation_id": "{foreign}",
        },
        (404,),
    ),
    BadRequest(
        "upload: complete nothing",
        "POST",
        f"media/uploads/{NOTHING}/complete",
        statuses=(404,),
    ),
    BadRequest(
        "document: nothing there", "GET", f"media/documents/{NOTHING}", statuses=(404,)
    ),
    BadRequest(
        "rendition: climbing",
        "GET",
        f"media/documents/{NOTHING}/renditions/..%2f..",
        statuses=(400, 404, 422),
    ),
    BadRequest(
        "device: no token", "POST", "devices", {"platform": "android", "name": "p"}
    ),
    BadRequest(
        "device: unknown platform",
        "POST",
        "devices",
        {"token": "t" * 32, "platform": "toaster", "name": "p"},
    ),
    BadRequest(
        "notifications: bad cursor", "GET", "notifications?cursor=%7B%22$gt%22%3A1%7D"
    ),
    BadRequest(
        "notifications: not a boolean", "GET", "notifications?is_unread=perhaps"
    ),
    BadRequest(
        "notification: nothing there",
        "POST",
        f"notifications/{NOTHING}/read",
        statuses=(404,),
    ),
    BadRequest(
        "preferences: unknown", "PUT", "notification-preferences", {"noise": 11}
    ),
    BadRequest("route: none", "GET", "no/such/route", statuses=(404,)),
    BadRequest("route: method", "DELETE", "conversations", statuses=(405,)),
    BadRequest(
        "route: internal",
        "GET",
        "/api/v1/../../internal/sessions",
        statuses=(400, 401, 404),
    ),
    BadRequest("route: metrics", "GET", "/api/v1/%2e%2e/metrics", statuses=(400, 404)),
    BadRequest(
        "polling", "GET", "/socket.io/?EIO=4&transport=polling", statuses=(400,)
    ),
    BadRequest(
        "long address", "GET", "users?query=" + "q" * 9_000, statuses=(400, 414, 422)
    ),
]

REQUESTS = ACCOUNTS + CONVERSATIONS + OTHERS

SOCKET_EVENTS: list[tuple[str, Any]] = [
    ("no.such.event", {}),
    ("message.send", None),
    ("message.send", "text"),
    ("message.send", []),
    ("message.send", 7),
    ("message.send", {}),
    ("message.send", {"conversation_id": "{group}"}),
    ("message.send", {"conversation_id": "{group}", **message(text="")}),
    ("message.send", {"conversation_id": "{group}", **message(text="x" * 16_001)}),
    ("message.send", {"conversation_id": "{group}", **message(text=None)}),
    ("message.send", {"conversation_id": "{group}", **message(text={"$gt": ""})}),
    ("message.send", {"conversation_id": "{group}", **message(client_message_id=1)}),
    ("message.send", {"conversation_id": "{group}", **message(seq=7)}),
    ("message.send", {"conversation_id": "{group}", **message(attachments="x")}),
    (
        "message.send",
        {"conversation_id": "{group}", **message(attachments=["x"] * 1000)},
    ),
    ("message.send", {"conversation_id": "{group}", **message(reply_to_seq=-1)}),
    ("message.send", {"conversation_id": "{foreign}", **message()}),
    ("message.send", {"conversation_id": NOTHING, **message()}),
    ("message.send", {"conversation_id": {"$ne": 1}, **message()}),
    ("conversation.subscribe", {}),
    ("conversation.subscribe", {"conversation_ids": "all"}),
    ("conversation.subscribe", {"conversation_ids": [1, 2]}),
    ("conversation.subscribe", {"conversation_ids": [NOTHING] * 1_000}),
    ("receipt.read", {"conversation_id": "{group}"}),
    ("receipt.read", {"conversation_id": "{group}", "seq": "1"}),
    ("receipt.read", {"conversation_id": "{group}", "seq": -1}),
    ("receipt.read", {"conversation_id": "{foreign}", "seq": 1}),
    ("typing.start", {"conversation_id": "{foreign}"}),
    ("typing.start", 1),
    ("presence.set", {"status": "everywhere"}),
    ("presence.set", {"status": "away", "last_seen": "friends"}),
    ("status.set", {}),
    ("status.set", {"text": "x" * 101}),
    ("status.set", {"text": "x", "expires_at": "2020-01-01T00:00:00Z"}),
    ("status.set", {"emoji": "word"}),
    ("status.clear", {"text": "x"}),
    ("presence.get", {"conversation_id": "{foreign}", "user_ids": ["{other}"]}),
    ("presence.get", {"conversation_id": "{group}", "user_ids": []}),
    ("token.renew", {"token": "garbage"}),
    ("token.renew", {"token": {"a": 1}}),
]

RAW_FRAMES: list[str | bytes] = [
    "",
    "9",
    "4",
    "40{",
    "40[]",
    '40{"token": 7}',
    '40{"token": "garbage"}',
    '40/admin,{"token": "garbage"}',
    "42",
    "42[",
    '42["message.send"',
    "42{}",
    "42[]",
    "42[1]",
    '42999999999999999999["message.send",{}]',
    "451-",
    '451-["message.send",{"_placeholder":true,"num":0}]',
    '459-["message.send",{"_placeholder":true,"num":99}]',
    "\ud7ff" * 100,
    "4" * 5_000,
    b"\x00\xff",
    b"",
]
