"""A request's body under its route's size and time."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.kernel import InvalidError
from services.gateway.domain.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    ClientGoneError,
)
from services.gateway.domain.route import Route
from services.gateway.proxy.body import RequestBody
from services.gateway.proxy.disconnect import DisconnectWatch

ROUTE = Route(
    prefix="/api/v1/x",
    methods=("POST",),
    service="chat",
    body_max_bytes=10,
    body_timeout_seconds=0.05,
)
DISCONNECT = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = False) -> dict[str, object]:
    """Return one ASGI message of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def body_of(
    messages: Sequence[dict[str, object]], *headers: tuple[bytes, bytes]
) -> RequestBody:
    """Return a body that receives some messages and then nothing more."""
    left = list(messages)

    async def receive() -> dict[str, object]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return RequestBody({"headers": list(headers)}, receive, ROUTE)


CHUNKED = (b"transfer-encoding", b"chunked")


def sized(length: bytes) -> tuple[bytes, bytes]:
    """Return a Content-Length."""
    return (b"content-length", length)


async def test_a_body_is_read_in_its_parts() -> None:
    """Empty parts in between are nothing."""
    body = body_of(
        [part(b"ab", more=True), part(b"", more=True), part(b"c")], sized(b"3")
    )
    assert [piece async for piece in body.stream()] == [b"ab", b"c"]
    assert body.received_bytes == 3


async def test_without_length_and_coding_there_is_no_body() -> None:
    """RFC 9112, section 6.3: nothing announced, nothing there."""
    assert body_of([]).is_empty
    assert body_of([], sized(b"0")).is_empty
    assert not body_of([], CHUNKED).is_empty


async def test_a_declared_body_that_is_too_large_is_never_read() -> None:
    """413 before a byte."""
    with pytest.raises(BodyTooLargeError):
        body_of([], sized(b"11"))


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x1", b"", b" 3", b"3,3"])
async def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    """Nobody behind may read another number."""
    with pytest.raises(InvalidError):
        body_of([], sized(length))


async def test_two_lengths_are_refused() -> None:
    """HT-4: with length and coding one request becomes two behind a proxy."""
    with pytest.raises(InvalidError):
        body_of([], sized(b"3"), CHUNKED)


async def test_a_body_longer_than_declared_is_refused() -> None:
    """Not a byte more than announced reaches the service."""
    body = body_of([part(b"abcd")], sized(b"3"))
    with pytest.raises(InvalidError):
        await body.read()


async def test_a_chunked_body_is_counted() -> None:
    """The part that passes the bound is the last that is read."""
    body = body_of([part(b"x" * 8, more=True), part(b"x" * 8, more=True)], CHUNKED)
    with pytest.raises(BodyTooLargeError):
        await body.read()
    assert isinstance(body.failure, BodyTooLargeError)


async def test_the_deadline_is_for_the_whole_body() -> None:
    """A first part does not move it."""
    body = body_of([part(b"x", more=True)], sized(b"9"))
    with pytest.raises(BodyTimeoutError):
        await body.read()
    assert isinstance(body.failure, BodyTimeoutError)


async def test_a_client_that_leaves_while_sending_is_gone() -> None:
    """Half a body is no body."""
    body = body_of([part(b"x", more=True), DISCONNECT], sized(b"9"))
    with pytest.raises(ClientGoneError):
        await body.read()


async def test_a_body_shorter_than_declared_is_none() -> None:
    """HT-4: what is missing would be taken from the next request."""
    body = body_of([part(b"x")], sized(b"9"))
    with pytest.raises(ClientGoneError):
        await body.read()
    assert not body.is_received


async def test_a_client_that_leaves_while_waiting_cancels_the_work() -> None:
    """The block ends with ClientGoneError, and the task is not left cancelled."""
    body = body_of([part(b""), DISCONNECT])
    with pytest.raises(ClientGoneError), DisconnectWatch(body):
        await asyncio.sleep(5)
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_watch_that_sees_nothing_leaves_nothing() -> None:
    """No task outlives the request."""
    with DisconnectWatch(body_of([part(b"")])):
        await asyncio.sleep(0.08)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [t for t in asyncio.all_tasks() if t.get_name() == "disconnect_watch"] == []


async def test_an_error_of_the_work_passes_the_watch() -> None:
    """Only a client that left changes the outcome."""
    with pytest.raises(LookupError), DisconnectWatch(body_of([part(b"")])):
        raise LookupError
