"""The description of the API as the gateway sends it."""

import gzip
import json

import pytest
from fastapi import FastAPI

from services.gateway import api
from services.gateway.domain.description import (
    Description,
    DescriptionError,
    parse_description,
    takes_gzip,
)
from services.gateway.domain.headers import SECURITY_HEADERS
from tests.support.asgi import AsgiClient, AsgiResponse

PATH = "/api/v1/openapi.json"
DOCUMENT = {"openapi": "3.1.0", "paths": {"/api/v1/x": {"get": {"summary": "é a"}}}}
DESCRIPTION = parse_description(json.dumps(DOCUMENT, indent=1).encode())


async def ask(**headers: str) -> AsgiResponse:
    """Ask an app that has nothing but the gateway's own routes."""

    async def lifespan(_: FastAPI):
        yield {"description": DESCRIPTION}

    app = FastAPI(lifespan=lifespan)
    app.include_router(api.router)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with AsgiClient(app) as client:
        return await client.request("GET", PATH, headers=named)


async def test_it_is_sent_whole_and_may_be_kept() -> None:
    """JSON without blanks, with a tag and the security headers."""
    answer = await ask()
    assert answer.status == 200
    assert answer.json() == DOCUMENT
    assert b"\n" not in answer.body
    assert answer.header("content-type") == "application/json"
    assert answer.header("cache-control") == "public, max-age=300"
    assert answer.header("etag") == DESCRIPTION.tag
    assert answer.header("vary") == "Accept-Encoding"
    for name, value in SECURITY_HEADERS:
        assert answer.header(name.decode()) == value.decode()


async def test_it_is_compressed_for_who_takes_that() -> None:
    """The same document, the same tag."""
    answer = await ask(accept_encoding="br, gzip;q=0.5")
    assert answer.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(answer.body)) == DOCUMENT
    assert answer.header("etag") == DESCRIPTION.tag


async def test_who_has_it_is_told_so() -> None:
    """304 without a body, and how long it holds now."""
    answer = await ask(if_none_match=DESCRIPTION.tag)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.header("etag") == DESCRIPTION.tag
    assert answer.header("cache-control") == "public, max-age=300"


@pytest.mark.parametrize(
    ("sent", "is_known"),
    [
        ("", False),
        ('"other"', False),
        ("*", True),
        (DESCRIPTION.tag, True),
        (DESCRIPTION.tag.removeprefix("W/"), True),
        (f'"other", {DESCRIPTION.tag}', True),
        (DESCRIPTION.tag.strip('W/"'), False),
    ],
)
def test_tags_are_compared_weakly(sent: str, *, is_known: bool) -> None:
    """An edge that compresses makes a strong tag weak; both are the same."""
    assert DESCRIPTION.is_known(sent) is is_known


@pytest.mark.parametrize(
    ("sent", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.1", True),
        ("gzip;q=1.0", True),
        ("gzipped", False),
    ],
)
def test_gzip_is_for_who_names_it(sent: str, *, takes: bool) -> None:
    """A weight of nothing is a refusal."""
    assert takes_gzip(sent) is takes


def test_a_changed_document_has_another_tag_and_blanks_do_not_change_it() -> None:
    """The tag is of what is said, in its order."""
    changed = parse_description(b'{"openapi": "3.1.0"}')
    assert changed.tag != DESCRIPTION.tag
    assert parse_description(b'{"openapi":"3.1.0"}') == changed
    assert isinstance(changed, Description)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'"x"'])
def test_a_file_that_is_no_document_stops_the_start(raw: bytes) -> None:
    """A gateway does not start with a broken description."""
    with pytest.raises(DescriptionError):
        parse_description(raw)
