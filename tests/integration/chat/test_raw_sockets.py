"""The listener below Socket.IO: what is refused, and how."""

import asyncio
import base64
import contextlib
import json
import os
import struct
import time

import aiohttp
import pytest

from libs.kernel import new_id
from tests.support.forged_tokens import FORGERIES, Tokens

pytestmark = pytest.mark.integration
PATH = "/socket.io/?EIO=4&transport=websocket"
TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8


class RawSocket:
    """A WebSocket client that can send wrong frames."""

    def __init__(self, reader, writer) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, process, **headers: str) -> "RawSocket":
        """Shake hands; the status line must be 101."""
        reader, writer = await asyncio.open_connection("127.0.0.1", process.socket_port)
        lines = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET {PATH} HTTP/1.1\r\n{head}\r\n".encode())
        opened = cls(reader, writer)
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in answer.splitlines()[0], answer
        except BaseException:
            await opened.close()
            raise
        return opened

    def send(
        self, payload: bytes, kind: int = TEXT, *, fin: bool = True, rsv: int = 0
    ) -> None:
        """Send one masked frame."""
        first = (0x80 if fin else 0) | rsv << 4 | kind
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, 0x80 | size)
        elif size < 65_536:
            head = struct.pack("!BBH", first, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, size)
        self._writer.write(head + b"\0\0\0\0" + payload)

    async def frame(self, seconds: float = 5) -> tuple[int, bytes]:
        """Return kind and payload of the next frame."""
        async with asyncio.timeout(seconds):
            first, size = struct.unpack("!BB", await self._reader.readexactly(2))
            if size == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
            return first & 0xF, await self._reader.readexactly(size)

    async def packet(self, start: str) -> str:
        """Return the next text frame that begins so."""
        while True:
            kind, payload = await self.frame()
            assert kind == TEXT, (kind, payload)
            if payload.decode().startswith(start):
                return payload.decode()

    async def read_on(self) -> None:
        """Read until it is over."""
        while True:
            await self.frame()

    async def close_code(self) -> int:
        """Wait for the close frame; return its code."""
        while True:
            kind, payload = await self.frame()
            if kind == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    async def admitted(self, member) -> None:
        """Send CONNECT with a token and wait for the answer."""
        self.send(b"40" + json.dumps({"token": member.token()}).encode())
        await self.packet("40")

    async def close(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.fixture
async def opened():
    """Open raw sockets that are closed at the end."""
    made: list[RawSocket] = []

    async def make(process, **headers: str) -> RawSocket:
        made.append(await RawSocket.open(process, **headers))
        return made[-1]

    yield make
    for raw in made:
        await raw.close()


async def refused(process, path: str, **headers: str) -> tuple[int, str]:
    """Return status and code of a handshake that fails."""
    url = process.socket_url + path
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers=headers) as answer,
    ):
        assert answer.content_type == "application/problem+json"
        return answer.status, (await answer.json(content_type=None))["code"]


async def test_polling_and_foreign_origins_are_refused(processes) -> None:
    """Each wrong handshake gets a problem document (WS-1, WS-2)."""
    process = processes[0]
    polling = "/socket.io/?EIO=4&transport=polling"
    assert await refused(process, polling) == (400, "transport_unsupported")
    assert await refused(process, "/elsewhere") == (404, "not_found")
    evil = {"Origin": "https://evil.example", "Upgrade": "websocket"}
    assert await refused(process, PATH, **evil) == (403, "origin_forbidden")
    old = "/socket.io/?EIO=3&transport=websocket"
    assert await refused(process, old, Upgrade="websocket") == (
        400,
        "protocol_unsupported",
    )


async def test_an_allowed_origin_and_none_come_in(opened, processes, people) -> None:
    """Browsers by their exact origin, others by their token alone."""
    (ada,) = await people(1)
    for headers in ({"Origin": "https://parley.example"}, {}):
        raw = await opened(processes[0], **headers)
        await raw.admitted(ada)


@pytest.mark.parametrize(
    "packet",
    [
        '40{"token": "garbage"}',
        '40{"token": 7}',
        '40{"token": "x", "more": 1}',
        "40{}",
        "40",
    ],
)
async def test_a_wrong_token_is_refused_and_the_socket_closed(
    opened, processes, packet
) -> None:
    """CONNECT_ERROR with a code, then the time to authenticate runs out (WS-4)."""
    raw = await opened(processes[0])
    raw.send(packet.encode())
    answer = await raw.packet("44")
    assert json.loads(answer[2:])["data"]["code"] in {"token_missing", "token_invalid"}
    assert await raw.close_code() == 1008


async def test_jw_1_forged_token_is_refused_at_connect(
    opened, processes, people, canary
) -> None:
    """JW-1: no forgery opens a socket, and nothing is fetched for one."""
    (ada,) = await people(1)
    tokens = Tokens(ada.signing, ada.issuer)
    for name, forge in FORGERIES.items():
        raw = await opened(processes[0])
        raw.send(b"40" + json.dumps({"token": forge(tokens, canary.url)}).encode())
        if name == "100 kB":
            assert await raw.close_code() == 1009
            continue
        answer = json.loads((await raw.packet("4"))[2:])
        assert answer["data"]["code"] == "token_invalid", name
        await raw.close()
    assert canary.hits == []
    raw = await opened(processes[0])
    await raw.admitted(ada)


async def test_silence_is_closed_in_time(opened, processes) -> None:
    """Who does not authenticate is closed; the setting is 1 s here (WS-4)."""
    raw = await opened(processes[0])
    started = time.monotonic()
    assert await raw.close_code() == 1008
    assert 0.8 < time.monotonic() - started < 2


async def test_events_before_connect_are_refused(opened, processes) -> None:
    """No event is taken from somebody unknown."""
    raw = await opened(processes[0])
    raw.send(b'421["typing.start",{}]')
    assert await raw.close_code() == 1008


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(b"x" * 8_300, TEXT, True, 0)], 1009),
        ([(b"x" * 5_000, TEXT, False, 0), (b"x" * 5_000, 0, True, 0)], 1009),
        ([(b"40\xff", TEXT, True, 0)], 1007),
        ([(b"40", TEXT, True, 4)], 1002),
        ([(b"40", 0, True, 0)], 1002),
        ([(b"4", TEXT, False, 0), (b"0", TEXT, True, 0)], 1002),
        ([(b"40", BINARY, True, 0)], 1003),
        ([(b"451-[]", TEXT, True, 0)], 1008),
        ([(b"40[", TEXT, True, 0)], 1008),
    ],
)
async def test_wrong_frames_close_with_their_code(
    opened, processes, frames, code
) -> None:
    """Sizes over fragments, UTF-8, reserved bits, order, binary (WS-3)."""
    raw = await opened(processes[0])
    for payload, kind, fin, rsv in frames:
        raw.send(payload, kind, fin=fin, rsv=rsv)
    assert await raw.close_code() == code


async def test_fragments_and_large_messages_pass_after_connect(
    opened, processes, people, open_group
) -> None:
    """An admitted client may send 256 KiB, in pieces too."""
    (ada,) = await people(1)
    group = await open_group([ada])
    raw = await opened(processes[0])
    await raw.admitted(ada)
    payload = {
        "conversation_id": group,
        "client_message_id": new_id(),
        "text": "\u00e9" * 16_000,
    }
    packet = b'427["message.send",' + json.dumps(payload).encode() + b"]"
    raw.send(packet[:40_000], fin=False)
    raw.send(packet[40_000:], 0)
    answer = await raw.packet("437")
    assert json.loads(answer[3:])[0]["message"]["seq"] == 1
    raw.send(b"4" * 300_000)
    assert await raw.close_code() == 1009


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        ('421["message.send"]', "payload_invalid"),
        ('421["message.send",{},{}]', "payload_invalid"),
        ('421["message.send",{"text":1}]', "payload_invalid"),
        ('421["message.send",null]', "payload_invalid"),
        ("421[1,{}]", "payload_invalid"),
        ("421[", "payload_invalid"),
        ("421" + "[" * 5_000, "payload_invalid"),
        ('421["no.such",{}]', "event_unknown"),
        ('421["connect",{}]', "event_unknown"),
        ('421["token.renew",{"token":"x"}]', "token_invalid"),
    ],
)
async def test_malformed_events_get_an_error_and_the_socket_lives(
    opened, processes, people, packet, code
) -> None:
    """Nothing an admitted client sends ends its socket, let alone the process."""
    (ada,) = await people(1)
    raw = await opened(processes[0])
    await raw.admitted(ada)
    raw.send(packet.encode())
    answer = await raw.packet("431")
    assert json.loads(answer[3:])[0]["error"]["code"] == code
    raw.send(b'422["presence.set",{"status":"away"}]')
    assert json.loads((await raw.packet("432"))[3:]) == [{"status": "away"}]


async def test_a_client_that_does_not_read_is_evicted(
    opened, processes, people, open_group
) -> None:
    """Over its budget it is cut at once; the others do not notice (WS-6)."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    raw = await opened(processes[0])
    await raw.admitted(grace)
    raw._reader._transport.pause_reading()
    subscribe = json.dumps({"conversation_ids": [group]})
    raw.send(f'421["conversation.subscribe",{subscribe}]'.encode())
    await ada.connect(processes[0], group)
    text = "x" * 16_000
    started = time.monotonic()
    answers = []
    for _ in range(45):
        answers += await asyncio.gather(*(ada.send(group, text) for _ in range(10)))
    assert all("message" in answer for answer in answers)
    raw._reader._transport.resume_reading()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await raw.read_on()
    assert time.monotonic() - started < 60
    await ada.until("message.sent", 450)


async def test_sr_2_a_token_that_expires_is_asked_for_and_can_be_renewed(
    opened, processes, people
) -> None:
    """`token.expiring` at its end, `token.renew` keeps the socket (SR-2)."""
    (ada,) = await people(1)
    raw = await opened(processes[0])
    raw.send(b"40" + json.dumps({"token": ada.token(2)}).encode())
    await raw.packet("40")
    await raw.packet('42["token.expiring"')
    renewal = json.dumps({"token": ada.token(300)})
    raw.send(f'421["token.renew",{renewal}]'.encode())
    assert "expires_at" in await raw.packet("431")
    stranger = json.dumps({"token": ada.token(300, sid=new_id())})
    raw.send(f'422["token.renew",{stranger}]'.encode())
    assert "token_mismatch" in await raw.packet("432")
