"""Connections to services: what is an answer, when it ends, who may use it again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.gateway.proxy.answer import (
    Answer,
    BrokenOffError,
    NotReachedError,
    Times,
)
from services.gateway.proxy.connection import Connection
from services.gateway.proxy.pool import Origin, open_pool

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade"
HELLO = OK + b"Content-Length: 5\r\nX-Kind: a\r\n\r\nhello"


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[str]:
    """Yield the address of a server that follows a script on every connection."""
    under_way: set[asyncio.Task[None]] = set()

    async def follow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await script(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(follow, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        if under_way:
            await asyncio.wait(under_way, timeout=5)


@asynccontextmanager
async def service(script: Script) -> AsyncIterator[Origin]:
    """Yield the way to such a server."""
    async with listening(script) as url, open_pool() as pool:
        yield pool.origin(url)


def answering(*answers: bytes, ends: bool = False) -> Script:
    """Return a script: an answer for each request that comes, in turn."""

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        if not ends:
            await reader.read()

    return script


@asynccontextmanager
async def taken(origin: Origin) -> AsyncIterator[Connection]:
    """Take a connection and give it back."""
    connection = await origin.take()
    try:
        yield connection
    finally:
        origin.give_back(connection)


async def unused(origin: Origin) -> None:
    """Return when every connection has ended."""
    async with asyncio.timeout(10):
        while not origin.is_unused:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def get(origin: Origin, seconds: float = 2.0, **options: bool) -> Answer:
    """Ask once and read everything."""
    async with taken(origin) as connection:
        answer = await connection.ask(HEAD, b"", Times(seconds), **options)
        await answer.read()
    return answer


@pytest.mark.parametrize(
    ("raw", "ends", "body"),
    [
        (HELLO, False, b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False, b"hello"),
        (OK + b"\r\nhello", True, b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", True, b"hello"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + HELLO, False, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False, b""),
    ],
)  # fmt: skip
async def test_an_answer_ends_where_it_says(
    raw: bytes, *, ends: bool, body: bytes
) -> None:
    """By length, by chunks, with the connection, or without a body at all."""
    async with service(answering(raw, ends=ends)) as origin:
        answer = await get(origin)
    assert await answer.read() == body
    assert answer.is_complete


async def test_names_come_in_lower_case_and_in_order() -> None:
    """Whatever a service writes, filters compare one form."""
    async with service(answering(HELLO)) as origin:
        answer = await get(origin)
    assert answer.headers == [(b"content-length", b"5"), (b"x-kind", b"a")]
    assert (answer.status, answer.content_length) == (200, 5)


async def test_a_connection_is_used_again() -> None:
    """After a whole answer, one without a body (HEAD) too."""
    headless = OK + b"Content-Length: 7\r\n\r\n"
    async with service(answering(HELLO, headless, HELLO)) as origin:
        await get(origin)
        head = await get(origin, is_bodiless=True)
        assert (await head.read(), head.content_length) == (b"", 7)
        assert await (await get(origin)).read() == b"hello"


@pytest.mark.parametrize(
    "raw",
    [
        b"220 smtp.example ESMTP\r\n\r\n",
        SWITCHED + b"\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        OK + b"Content-Length: -5\r\n\r\nhello",
        OK + b"Content-Length: 9\r\n\r\nhello",
        CHUNKED + b"9\r\nhello",
        CHUNKED + b"zz\r\nhello",
        OK + b"X-Huge: " + b"x" * 20_000 + b"\r\n\r\n",
        OK + b"X-Endless: " + b"x" * 40_000,
        b"",
    ],
)
async def test_what_is_no_answer_is_broken_off(raw: bytes) -> None:
    """Two readings of an answer's end would be two answers on one connection."""
    async with service(answering(raw, ends=True)) as origin:
        with pytest.raises(BrokenOffError):
            await get(origin)
        await unused(origin)


async def test_a_second_answer_reaches_nobody() -> None:
    """What a service sends unasked is not the answer to somebody's next request."""
    foreign = OK + b"Content-Length: 7\r\n\r\nforeign"
    async with service(answering(HELLO + foreign, foreign)) as origin:
        assert await (await get(origin)).read() == b"hello"
        await unused(origin)


async def test_unasked_bytes_close_an_idle_connection() -> None:
    """A connection in the pool has nothing to say."""
    heard = asyncio.Event()

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HELLO)
        await heard.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with service(script) as origin:
        await get(origin)
        heard.set()
        await unused(origin)


async def test_silence_ends_in_time_and_slow_parts_do_not() -> None:
    """The time runs from part to part, not for the whole."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.05)
            writer.write(b"x")

    async with service(slow) as origin:
        assert await (await get(origin, seconds=0.2)).read() == b"xxxxxx"
    async with service(answering(OK + b"Content-Length: 6\r\n\r\nx")) as origin:
        with pytest.raises(TimeoutError):
            await get(origin, seconds=0.1)
        await unused(origin)


async def test_an_answer_without_end_ends_in_its_time() -> None:
    """HT-3: parts that come in time each do not prolong the time of the whole."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            await asyncio.sleep(0.02)
            writer.write(b"x")
            await writer.drain()

    async with service(drip) as origin, asyncio.timeout(10):
        async with taken(origin) as connection:
            answer = await connection.ask(HEAD, b"", Times(0.5, 0.6))
            with pytest.raises(TimeoutError):
                await answer.read()
        await unused(origin)


async def test_who_does_not_read_holds_little_and_misses_nothing() -> None:
    """Reading from the service stops at 256 KiB, and its time with it."""
    size = 20_000_000
    written = 0

    async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(b"x" * 50_000)
            written += 50_000
            await writer.drain()

    async with service(large) as origin, taken(origin) as connection:
        answer = await connection.ask(HEAD, b"", Times(0.1, 0.2))
        await asyncio.sleep(0.3)  # longer than a silent service would be given
        assert written < size
        assert sum([len(part) async for part in answer.parts()]) == size


async def test_who_leaves_while_reading_was_stopped_ends_the_connection() -> None:
    """Nobody's next request goes where nobody reads."""
    size = 600_000
    whole = OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    async with service(answering()) as origin:
        async with taken(origin) as connection:
            asking = asyncio.create_task(connection.ask(HEAD, b"", Times(2)))
            await asyncio.sleep(0)
            # In two parts, as they may come off the socket; both before a reader.
            connection.data_received(whole[:200_000])
            connection.data_received(whole[200_000:])
            assert (await asking).is_complete
        assert not connection.is_open


async def test_headers_that_drip_end_in_time() -> None:
    """Bytes that are no answer yet do not prolong the time in which it has to begin."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        while not writer.is_closing():
            await asyncio.sleep(0.02)
            writer.write(b"x: y\r\n")
            await writer.drain()

    async with service(drip) as origin, asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await get(origin, seconds=0.1)
        await unused(origin)


async def test_a_connection_that_has_ended_takes_no_request() -> None:
    """Who closes at once is told apart from who is silent."""
    async with service(answering(HELLO)) as origin:
        connection = await origin.take()
        connection.abort()
        await unused(origin)
        with pytest.raises(NotReachedError):
            await connection.ask(HEAD, b"", Times(2))
        origin.give_back(connection)


async def test_what_a_service_has_closed_takes_no_request() -> None:
    """Before the loop has told of it too: a request sent there would be lost."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        async with open_pool() as pool:
            origin = pool.origin(url)
            first = await origin.take()
            theirs, _ = server.accept()
            with theirs:
                asking = asyncio.create_task(first.ask(HEAD, b"", Times(2)))
                await asyncio.sleep(0)
                theirs.sendall(HELLO)
                await (await asking).read()
                origin.give_back(first)
            assert first.is_open
            second = await origin.take()
            assert second is not first
            second.abort()


async def test_trailers_are_no_headers() -> None:
    """What comes after the body says nothing of it (RFC 9110, section 6.5.1)."""
    late = b"2\r\nhe\r\n0\r\nSet-Cookie: a=b\r\n\r\n"
    async with service(answering(CHUNKED + late, HELLO)) as origin:
        answer = await get(origin)
        assert answer.headers == [(b"transfer-encoding", b"chunked")]
        assert await (await get(origin)).read() == b"hello"


async def test_an_upload_is_framed_and_may_fail() -> None:
    """Chunks on the wire; what the client does wrong is what the caller is told."""
    seen = bytearray()

    async def script(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        seen.extend(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(HELLO)

    async def parts() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c" * 17

    async def broken() -> AsyncIterator[bytes]:
        yield b"ab"
        raise LookupError("the client's fault")

    async with service(script) as origin:
        async with taken(origin) as connection:
            await connection.ask(HEAD, parts(), Times(2), is_chunked=True)
        assert seen.endswith(
            b"\r\n\r\n2\r\nab\r\n11\r\n" + b"c" * 17 + b"\r\n0\r\n\r\n"
        )
        async with taken(origin) as connection:
            with pytest.raises(LookupError):
                await connection.ask(HEAD, broken(), Times(2), is_chunked=True)


async def test_an_early_answer_ends_the_upload() -> None:
    """The rest of a body that a service refused is not read as its next request."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000
            await asyncio.sleep(0)

    async with service(answering(HELLO)) as origin:
        async with taken(origin) as connection:
            answer = await connection.ask(HEAD, endless(), Times(2))
            assert await answer.read() == b"hello"
        assert not connection.is_open


async def test_nobody_listens() -> None:
    """A refused connection says that the service has seen nothing."""
    async with service(answering()) as origin:
        pass
    with pytest.raises(NotReachedError):
        await origin.take()


async def test_connections_are_bounded_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits gets the next free one, and is told if there is none."""
    monkeypatch.setattr("services.gateway.proxy.pool._CONNECTIONS_MAX", 1)
    monkeypatch.setattr("services.gateway.proxy.pool._WAIT_SECONDS", 0.05)
    async with service(answering(HELLO, HELLO)) as origin:
        connection = await origin.take()
        with pytest.raises(NotReachedError):
            await origin.take()
        given_up, waiting = (asyncio.create_task(origin.take()) for _ in range(2))
        await asyncio.sleep(0)
        await (await connection.ask(HEAD, b"", Times(2))).read()
        origin.give_back(connection)
        given_up.cancel()
        assert await waiting is connection
        connection.abort()


async def test_a_pool_forgets_what_is_idle() -> None:
    """Addresses that are gone leave nothing behind."""
    async with listening(answering(HELLO)) as url, open_pool() as pool:
        origin = pool.origin(url)
        await get(origin)
        pool.sweep()
        assert pool.origin(url) is origin
        origin.close_idle()
        await unused(origin)
        pool.sweep()
        assert pool.origin(url) is not origin
