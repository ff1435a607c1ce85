"""The listener towards the edge: what is a request, and what becomes of its answer."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from services.gateway.proxy.front import FrontServer, connection, listener

HOST = b"Host: x\r\n"
GET = b"GET /a?b HTTP/1.1\r\n" + HOST
POST = b"POST /a HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BAD = b"HTTP/1.1 400 Bad Request"
LONGEST_SECONDS = 10


class App:
    """Notes what it is asked, and answers with the body that it got."""

    def __init__(self) -> None:
        self.scopes: list[dict] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope, receive, send) -> None:
        """Serve one request."""
        self.scopes.append(scope)
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<" + body + b">"})


@asynccontextmanager
async def serving(app) -> AsyncIterator[tuple[FrontServer, int]]:
    """Run a server; yield it and its port."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = FrontServer(app, bound)
    task = asyncio.create_task(server.serve())
    try:
        yield server, bound.getsockname()[1]
    finally:
        server.stop()
        async with asyncio.timeout(LONGEST_SECONDS):
            await task


@asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple]:
    """Connect; leaving closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            yield reader, writer
    finally:
        writer.transport.abort()


async def told(app, sent: bytes) -> bytes:
    """Return all that is answered to some bytes until the connection ends."""
    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(sent)
        return await reader.read()


async def answer(reader) -> tuple[bytes, bytes]:
    """Return head and body of an answer that says how long it is."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return head, await reader.readexactly(int(length))


async def sending(writer, part: bytes, count: int) -> None:
    """Send a part some times over, as fast as it is taken."""
    for _ in range(count):
        writer.write(part)
        await writer.drain()


async def starting(send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    """Begin an answer."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)


async def test_a_connection_takes_one_request_after_the_other():
    """What the application sees is what was sent; lengths and dates are added."""
    app = App()
    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(GET + b"A:  v \r\n\r\n")
        head, body = await answer(reader)
        writer.write(POST + b"Content-Length: 5\r\n\r\nhello")
        _, second = await answer(reader)
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert (body, second) == (b"<>", b"<hello>")
    seen = app.scopes[0]
    assert (seen["method"], seen["raw_path"], seen["query_string"]) == (
        "GET",
        b"/a",
        b"b",
    )
    assert seen["headers"] == [(b"host", b"x"), (b"a", b"v")]
    assert seen["client"][0] == "127.0.0.1"


@pytest.mark.parametrize(
    "request_head",
    [
        POST + b"Content-Length: 3\r\n" + CHUNKED,
        POST + CHUNKED + b"Content-Length: 3\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 3\r\n",
        POST + b"Content-Length: +3\r\n",
        POST + b"Content-Length : 3\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n",
        POST + CHUNKED + CHUNKED,
        POST.replace(b"1.1", b"1.0") + CHUNKED,
        GET + b" folded: b\r\n",
        GET + b"A: b\nC: d\r\n",
        GET + b"A: b\rC: d\r\n",
        GET + b"A: b\x00\r\n",
        GET + b"A B: b\r\n",
        GET + b": b\r\n",
        GET + HOST,
        GET.replace(HOST, b""),
        GET.replace(b"1.1", b"2.0"),
        GET.replace(b" HTTP/1.1", b""),
        GET.replace(b"1.1", b"1.2"),
        GET.replace(b"GET", b"BREW"),
        GET.replace(b"HTTP/1.1", b"RTSP/1.0"),
        GET.replace(b"HTTP/1.1", b"RTSP/1.1") + b"A: /a?b HTTP/1.1\r\n",
        GET.replace(b"GET", b"SOURCE").replace(b"HTTP/1.1", b"ICE/1.0"),
        GET.replace(b"/a?b", b"/a b"),
        GET.replace(b"/a?b", b"a"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"CONNECT a:80 HTTP/1.1\r\n" + HOST,
    ],
)
async def test_ht_4_what_can_be_read_in_two_ways_reaches_nobody(request_head):
    """It is answered with 400, and its connection ends."""
    app = App()
    got = await told(app, request_head + b"\r\n3\r\nabc\r\n0\r\n\r\n")
    assert got.startswith(BAD)
    assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "request_malformed"
    assert app.scopes == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"3\nabc\n0\n\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3;a\nb\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
    ],
)
async def test_ht_4_broken_chunks_are_no_body(chunks):
    """The application hears that the client has gone; the connection ends."""
    gone: list[str] = []

    async def app(_scope, receive, send) -> None:
        while (message := await receive())["type"] == "http.request":
            assert message["more_body"]
        gone.append(message["type"])
        await starting(send, (b"connection", b"close"), status=400)
        await send({"type": "http.response.body"})

    assert (await told(app, POST + CHUNKED + b"\r\n" + chunks)).startswith(BAD)
    assert gone == ["http.disconnect"]


async def test_ht_4_a_request_behind_one_that_is_not_answered_reaches_nobody():
    """What was smuggled behind a request's end ends the connection."""
    app = App()
    got = await told(app, POST + b"Content-Length: 3\r\n\r\nabc" + GET + b"\r\n")
    assert got.count(b"HTTP/1.1 ") == 1
    assert got.endswith(b"<abc>")
    assert len(app.scopes) == 1


async def test_nothing_is_switched_to():
    """A wish for another protocol is passed over, and what follows is not read."""
    app = App()
    wish = b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    got = await told(app, GET + wish + GET + b"\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in got
    assert len(app.scopes) == 1


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_ht_1_an_endless_head_is_refused(end):
    """Whether it ends or not."""
    app = App()
    got = await told(app, GET + b"A: " + b"x" * 400_000 + end)
    assert got.startswith(b"HTTP/1.1 431 ")
    assert app.scopes == []


async def test_ht_1_an_endless_trailer_ends_the_request():
    """Nothing of it is kept."""
    app = App()
    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(POST + CHUNKED + b"\r\n0\r\nA: " + b"x" * 400_000)
        await reader.read()
    assert app.bodies == [b""]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (GET + b"A: " + b"x" * 400_000, b"431"),
        (POST + b"Content-Length: 99999999\r\n\r\n", b"413"),
        (POST + CHUNKED + b"\r\nfffffff\r\n", b"413"),
        (GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", b"413"),
    ],
)
async def test_who_still_sends_gets_the_answer_whole(sent, status):
    """Nothing is reset while it comes, nothing of it reaches anybody, and it ends."""
    seen: list[str] = []

    async def app(scope, _receive, send) -> None:
        seen.append(scope["path"])
        await starting(send, status=413)
        await send({"type": "http.response.body", "body": b"too much"})

    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        await sending(writer, b"x" * 65_536, 100)  # more than the system takes ahead
        writer.write(GET + b"\r\n")
        writer.write_eof()
        rest = await reader.read()
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"HTTP/1.1" not in rest
    assert len(seen) == (status == b"413")


async def test_who_sends_for_ever_is_cut(monkeypatch):
    """A refused client has some time to stop."""
    monkeypatch.setattr(listener, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connection, "_LINGER_SECONDS", 0.1)
    async with serving(App()) as (_, port), client(port) as (_, writer):
        writer.write(b"nonsense\r\n\r\n")
        with pytest.raises(ConnectionError):
            await sending(writer, b"x" * 65_536, 1_000_000)


async def test_a_target_in_absolute_form_is_a_path():
    """As RFC 9112, section 3.2.2, wants it."""
    app = App()
    await told(app, b"GET http://x/a?b HTTP/1.0\r\n" + HOST + b"\r\n")
    assert app.scopes[0]["raw_path"] == b"/a"
    assert app.scopes[0]["query_string"] == b"b"


async def test_a_body_comes_in_parts_and_waits_for_who_reads():
    """Chunks are taken apart, trailers dropped, and the sender is held up."""
    app = App()
    part = b"8000\r\n" + b"x" * 32_768 + b"\r\n"
    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(POST + CHUNKED + b"Expect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(32):
            writer.write(part)
        writer.write(b"0\r\nX: trailer\r\n\r\n")
        _, body = await answer(reader)
    assert len(body) == 32 * 32_768 + 2
    assert (b"x", b"trailer") not in app.scopes[0]["headers"]


async def test_a_client_of_http_1_0_is_not_told_to_go_on():
    """It knows no answer before the answer (RFC 9110, section 10.1.1)."""
    waiting = b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    app = App()
    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(POST.replace(b"1.1", b"1.0") + waiting)
        while not app.scopes:  # noqa: ASYNC110 - the application's own time
            await asyncio.sleep(0.01)
        writer.write(b"hi")
        got = await reader.read()
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"<hi>")


async def test_a_head_that_comes_byte_by_byte_is_one():
    """And the next one of its connection, behind a line that is empty."""
    app = App()
    async with serving(app) as (_, port), client(port) as (reader, writer):
        for head in (GET, b"\r\nGET  /c  HTTP/1.1\r\n" + HOST):
            for byte in head + b"\r\n":
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            await answer(reader)
    assert [scope["path"] for scope in app.scopes] == ["/a", "/c"]


async def test_a_body_that_nobody_reads_does_not_fill_the_memory():
    """The sender's bytes stay with the system."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def app(_scope, _receive, send) -> None:
        asked.set()
        await over.wait()
        await starting(send)
        await send({"type": "http.response.body", "body": b""})

    size = 50_000_000
    async with serving(app) as (_, port), client(port) as (_, writer):
        writer.write(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        await asked.wait()
        before = -1
        while (left := writer.transport.get_write_buffer_size()) != before:
            before = left
            await asyncio.sleep(0.1)
        over.set()
    assert left > size / 2


async def test_a_body_that_nobody_read_does_not_hold_up_the_next_request():
    """It came whole, its last part was one too many to hold, and it is forgotten."""
    over = asyncio.Event()

    async def app(_scope, _receive, send) -> None:
        await over.wait()
        await starting(send)
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(POST + b"Content-Length: 70000\r\n\r\n" + b"x" * 60_000)
        await asyncio.sleep(0.05)
        writer.write(b"x" * 10_000)
        await asyncio.sleep(0.05)
        over.set()
        assert (await answer(reader))[1] == b"ok"
        writer.write(GET + b"\r\n")
        assert (await answer(reader))[1] == b"ok"


async def test_who_has_the_answer_counts_as_gone():
    """An application that goes on asking is told, whether it asks later or waits."""
    heard: list[str] = []

    async def app(_scope, receive, send) -> None:
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await starting(send)
        await send({"type": "http.response.body", "body": b"ok"})
        async with asyncio.timeout(LONGEST_SECONDS / 2):
            heard.extend([(await waiting)["type"], (await receive())["type"]])

    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(POST + b"Content-Length: 1\r\n\r\nx")
        await answer(reader)
        writer.write(POST + b"Content-Length: 1\r\n\r\nx")
        await answer(reader)
        while len(heard) < 4:  # noqa: ASYNC110 - the application's own time
            await asyncio.sleep(0.01)
    assert heard == ["http.disconnect"] * 4


async def test_what_follows_an_answer_is_not_sent():
    """The client would take it for the next answer."""

    async def app(_scope, _receive, send) -> None:
        await starting(send)
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"def"})
        await send({"type": "http.response.body", "body": b"HTTP/1.1 200 OK"})

    got = await told(app, GET + b"Connection: close\r\n\r\n")
    assert got.endswith(b"\r\ndef\r\n0\r\n\r\n")


async def test_who_takes_no_answer_gets_no_more(monkeypatch):
    """Or what is not taken would fill the memory, request by request."""
    monkeypatch.setattr(listener, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connection, "_STALLED_SECONDS", 0.3)
    served = 0

    async def app(_scope, _receive, send) -> None:
        nonlocal served
        served += 1
        await starting(send)
        await send({"type": "http.response.body", "body": b"x" * 9_999_999})

    async with serving(app) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.setblocking(False)  # noqa: FBT003
            with suppress(ConnectionError):
                for _ in range(50):
                    silent.send(GET + b"\r\n")
                    await asyncio.sleep(0.02)
    assert served == 1


async def test_who_left_before_the_first_byte_is_no_error():
    """A connection without an address is closed like any other."""
    failures: list[dict] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, failure: failures.append(failure))
    async with serving(App()) as (_, port):
        with socket.socket() as hasty:
            linger = struct.pack("ii", 1, 0)  # closing resets
            hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            hasty.connect(("127.0.0.1", port))
        async with client(port) as (reader, writer):
            writer.write(GET + b"\r\n")
            await answer(reader)
    assert failures == []


async def test_an_answer_in_parts_is_framed():
    """By chunks, unless it declares its length."""

    async def app(scope, _receive, send) -> None:
        declared = [(b"content-length", b"6")] if scope["query_string"] else []
        await starting(send, *declared)
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"def"})

    close = b"Connection: close\r\n\r\n"
    assert (await told(app, GET + close)).endswith(b"\r\n\r\nabcdef")
    chunked = await told(app, GET.replace(b"?b", b"") + close)
    assert chunked.endswith(b"\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status"), [(GET.replace(b"GET", b"HEAD"), 200), (GET, 204), (GET, 304)]
)
async def test_some_answers_have_no_body(head, status):
    """Whatever the application sends with them."""

    async def app(_scope, _receive, send) -> None:
        await starting(send, (b"content-length", b"3"), status=status)
        await send({"type": "http.response.body", "body": b"abc"})

    got = await told(app, head + b"Connection: close\r\n\r\n")
    assert got.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("sent", [b"ab", b"abcd"])
async def test_an_answer_of_another_length_is_broken_off(sent):
    """So that nobody takes it, or what follows it, for something else."""

    async def app(_scope, _receive, send) -> None:
        await starting(send, (b"content-length", b"3"))
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": sent})

    got = await told(app, GET + b"\r\n")
    assert got.partition(b"\r\n\r\n")[2] == b""


async def test_an_application_that_raises_in_the_middle_breaks_off():
    """The client must not take what it has for the whole."""

    async def app(_scope, _receive, send) -> None:
        await starting(send)
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        raise RuntimeError("broken")

    assert not (await told(app, GET + b"\r\n")).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb"])
async def test_a_header_with_a_line_break_is_not_sent(value):
    """One that raises before it began to answer is a 500."""

    async def app(_scope, _receive, send) -> None:
        await starting(send, (b"x-a", value))
        await send({"type": "http.response.body", "body": b"abc"})

    got = await told(app, GET + b"\r\n")
    assert got.startswith(b"HTTP/1.1 500 ")
    assert b"b: c" not in got


async def test_who_leaves_is_noticed_at_once():
    """While a service works for a client, and while an answer waits for it."""
    heard: list[str] = []
    ended = asyncio.Event()

    async def app(scope, receive, send) -> None:
        try:
            if scope["query_string"]:
                heard.append((await receive())["type"])
                heard.append((await receive())["type"])
                return
            await starting(send)
            part = {"type": "http.response.body", "body": b"x" * 99_999}
            for _ in range(100):
                await send(part | {"more_body": True})
            heard.append("sent")
        finally:
            ended.set()

    async with serving(app) as (_, port):
        for head in (GET, GET.replace(b"?b", b"")):
            async with client(port) as (_, writer):
                writer.write(head + b"\r\n")
                await asyncio.sleep(0.05)
            await asyncio.wait_for(ended.wait(), LONGEST_SECONDS)
            ended.clear()
    assert heard == ["http.request", "http.disconnect", "sent"]


async def test_it_stops_when_what_is_under_way_is_answered():
    """A connection that waits is closed, one that is served after its answer."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def app(_scope, _receive, send) -> None:
        asked.set()
        await over.wait()
        await starting(send)
        await send({"type": "http.response.body", "body": b"done"})

    async with (
        serving(app) as (server, port),
        client(port) as idle,
        client(port) as (reader, writer),
    ):
        writer.write(GET + b"\r\n")
        await asked.wait()
        server.stop()
        assert await idle[0].read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        over.set()
        got = await reader.read()
    assert b"connection: close" in got
    assert got.endswith(b"done")


@pytest.mark.parametrize("sent", [b"", b"GET /", GET + b"\r\n"])
async def test_who_keeps_it_waiting_is_cut(monkeypatch, sent):
    """Without a request, in the middle of one, and in the middle of its answer."""
    monkeypatch.setattr(listener, "_LOOK_SECONDS", 0.05)
    for name in ("_HEAD_SECONDS", "_IDLE_SECONDS", "_STALLED_SECONDS"):
        monkeypatch.setattr(connection, name, 0.1)
    cut = asyncio.Event()

    async def app(_scope, _receive, send) -> None:
        await starting(send)
        part = {"type": "http.response.body", "body": b"x" * 9_999_999}
        for _ in range(5):
            await send(part | {"more_body": True})
        cut.set()

    async with serving(app) as (_, port), client(port) as (reader, writer):
        writer.write(sent)
        if sent.endswith(b"\r\n\r\n"):
            await cut.wait()
        else:
            assert await reader.read() == b""


async def test_f23_more_connections_than_it_takes_wait_for_their_turn(monkeypatch):
    """The system holds them until one ends."""
    monkeypatch.setattr(listener, "connections_max", lambda: 1)
    async with (
        serving(App()) as (_, port),
        client(port) as (reader, writer),
        client(port) as (waiting, writes),
    ):
        writes.write(GET + b"\r\n")
        for _ in range(2):
            writer.write(GET + b"\r\n")
            await answer(reader)
        assert not waiting._buffer
        writer.close()
        assert (await answer(waiting))[1] == b"<>"
