"""The HTTP routes over memory adapters: shapes, statuses, principals, lists."""

from contextlib import asynccontextmanager

import pytest

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.security import Principal
from libs.kernel import new_id
from services.media.api import MediaState, router
from tests.support.asgi import AsgiClient, InternalCallers

API = "/api/v1/media"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)


@pytest.fixture
async def client(media, settings, tmp_path):
    """Media's HTTP app, without what lies behind its ports."""
    callers = InternalCallers(tmp_path)

    @asynccontextmanager
    async def lifespan(_app):
        yield MediaState(uploads=media.uploads, documents=media.documents)

    app = create_http_app(
        settings, lifespan=lifespan, routers=[router], title="media", health=Health()
    )
    async with AsgiClient(app) as opened:
        yield lambda user: Person(opened, callers, user)


class Person:
    """Somebody who asks, as the gateway would for them."""

    def __init__(self, client, callers, principal):
        self._client = client
        self._headers = callers.headers("media", principal) if principal else {}

    async def ask(self, method, path, body=None):
        """Send a request; return status and JSON."""
        answer = await self._client.request(
            method, API + path, json_body=body, headers=self._headers
        )
        return answer.status, answer.json() if answer.body else None


@pytest.fixture
def ada(client):
    """A signed-in person."""
    return client(Principal(new_id(), new_id()))


async def uploaded(media, person, name="a.png", content=PNG, **where):
    """Upload a file to the end; return its id."""
    declared = "application/octet-stream"
    body = {"file_name": name, "content_type": declared, "size_bytes": len(content)}
    status, answer = await person.ask("POST", "/uploads", body | where)
    assert status == 201
    document_id = answer["document_id"]
    document = await media.repository.get(document_id)
    media.store.objects[document.quarantine_key] = (content, declared)
    assert (await person.ask("POST", f"/uploads/{document_id}/complete"))[0] == 202
    await media.bus.settled()
    return document_id


async def test_announcement(ada):
    """The answer is a request to be sent, and when it ends."""
    body = {"file_name": "a.png", "content_type": "image/png", "size_bytes": 10}
    status, answer = await ada.ask("POST", "/uploads", body)
    assert status == 201
    assert set(answer) == {"document_id", "upload", "expires_at"}
    assert set(answer["upload"]) == {"method", "url", "headers"}
    assert answer["upload"]["headers"]["Content-Type"] == "image/png"


async def test_document(media, ada):
    """A document tells what it is, and nothing of where it lies."""
    document_id = await uploaded(media, ada)
    status, answer = await ada.ask("GET", f"/documents/{document_id}")
    assert status == 200
    assert answer["status"] == "ready"
    assert answer["file_name"] == "a.png"
    assert answer["renditions"] == [
        {
            "name": "thumbnail",
            "content_type": "image/webp",
            "size_bytes": 3,
            "width": 320,
            "height": 240,
        }
    ]
    document = await media.repository.get(document_id)
    assert document.storage_key not in str(answer)


async def test_links(media, ada):
    """Content and renditions are links with an end."""
    document_id = await uploaded(media, ada)
    for path in ("content", "renditions/thumbnail"):
        status, answer = await ada.ask("GET", f"/documents/{document_id}/{path}")
        assert status == 200
        assert set(answer) == {"url", "expires_at"}
    path = f"/documents/{document_id}/renditions/preview"
    assert (await ada.ask("GET", path))[0] == 404


async def test_deletion(media, ada):
    """A deleted document is 404 from then on."""
    document_id = await uploaded(media, ada)
    assert await ada.ask("DELETE", f"/documents/{document_id}") == (204, None)
    assert (await ada.ask("GET", f"/documents/{document_id}"))[0] == 404


async def test_pages(media, ada):
    """Every document is in one page, newest first."""
    made = [await uploaded(media, ada, "a.txt", b"x") for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        _, page = await ada.ask("GET", f"/documents{query}")
        assert len(page["items"]) <= 2
        seen += [item["document_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?cursor=eyJ4IjoxfQ", 400, "cursor_invalid"),
        ("?cursor=eyJiZWZvcmUiOiJ4In0", 400, "cursor_invalid"),
        ("?cursor=eyJiZWZvcmUiOjF9", 400, "cursor_invalid"),
        ("?cursor=%7B%7D", 400, "cursor_invalid"),
        ("?limit=201", 422, "request_invalid"),
        ("?conversation_id=x", 422, "request_invalid"),
        (f"?conversation_id={new_id()}", 404, "scope_not_found"),
        (f"?project_id={new_id()}", 404, "scope_not_found"),
        (
            f"?project_id={new_id()}&conversation_id={new_id()}",
            400,
            "scope_ambiguous",
        ),
    ],
)
async def test_bad_lists(ada, query, status, code):
    """A list that cannot be has its code."""
    got, answer = await ada.ask("GET", f"/documents{query}")
    assert (got, answer["code"]) == (status, code)


ROUTES = [
    ("POST", "/uploads"),
    ("POST", f"/uploads/{new_id()}/complete"),
    ("GET", "/documents"),
    ("GET", f"/documents/{new_id()}"),
    ("GET", f"/documents/{new_id()}/content"),
    ("GET", f"/documents/{new_id()}/renditions/thumbnail"),
    ("DELETE", f"/documents/{new_id()}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_people_are_served(client, method, path):
    """Nobody, anonymous and services get nothing on any route (AZ-1)."""
    for principal, status in (
        (None, 401),
        (Principal.anonymous(), 401),
        (Principal.service(), 403),
    ):
        got, _ = await client(principal).ask(method, path)
        assert got == status


def test_every_route_is_in_the_table():
    """A new route needs a row above."""
    served = {
        (method, route.path.removeprefix(API))
        for route in router.routes
        for method in route.methods
    }
    assert len(served) == len(ROUTES)


@pytest.mark.parametrize(
    "shape", ["abc", "A" * 36, "x" * 300, "00000000-0000-0000-0000-000000000000"]
)
@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[1].count("/") > 1])
async def test_what_cannot_be_an_id_is_missing(ada, method, path, shape):
    """EN-3: a malformed id and an unknown one get the same answer."""
    parts = path.split("/")
    unknown = await ada.ask(method, path)
    malformed = await ada.ask(method, "/".join([*parts[:2], shape, *parts[3:]]))
    assert unknown[0] == malformed[0] == 404
    assert unknown[1]["code"] == malformed[1]["code"] == "document_not_found"


async def test_what_cannot_be_a_rendition_is_missing(media, ada):
    """The same holds for the other name in a path."""
    document_id = await uploaded(media, ada)
    for name in ("preview", "A", "x" * 300):
        path = f"/documents/{document_id}/renditions/{name}"
        status, answer = await ada.ask("GET", path)
        assert (status, answer["code"]) == (404, "document_not_found")
