"""HTTP/2 by hand (RFC 9113): headers that no client library would send.

Header fields go out as literals without a table and without Huffman's code (RFC 7541,
section 6.2.2); of an answer only the status and the frames are read.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.embedded.layout import HOST

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
_STATUS_NAMES = (0x08, 0x18, 0x48)

Field = tuple[str, str]


@dataclass
class H2Answer:
    """How a stream ended.

    Attributes:
        status: Of its response; 0 where it has none.
        body: Bytes of its response.
        is_refused: Whether the stream or the connection was ended instead.
    """

    status: int = 0
    body: bytes = b""
    is_refused: bool = False
    frames: list[int] = field(default_factory=list)


def fields(method: str, path: str, *more: Field) -> list[Field]:
    """Return a request's header as a good client sends it, and what is added."""
    return [
        (":method", method),
        (":scheme", "https"),
        (":authority", HOST),
        (":path", path),
        *more,
    ]


def ask(
    trust: ssl.SSLContext, port: int, header: list[Field], body: bytes | None = None
) -> H2Answer:
    """Send one request over TLS on a connection of its own; return how it ended."""
    last = _END_STREAM if body is None else 0
    sent = opened(header, last)
    if body is not None:
        sent += _frame(_DATA, _END_STREAM, 1, body)
    with connected(trust, port) as connection:
        connection.sendall(sent)
        return _read(connection)


@contextlib.contextmanager
def connected(trust: ssl.SSLContext, port: int) -> Iterator[ssl.SSLSocket]:
    """Yield a connection that has agreed on HTTP/2 and said nothing yet."""
    trust.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((HOST, port), 10) as plain,
        trust.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"
        yield connection


def opened(header: list[Field] | None = None, flags: int = 0) -> bytes:
    """Return the beginning of a connection, and of a request if there is a header."""
    sent = _PREFACE + _frame(_SETTINGS, 0, 0)
    if header is None:
        return sent
    block = b"".join(_literal(*pair) for pair in header)
    return sent + _frame(_HEADERS, flags | _END_HEADERS, 1, block)


def _read(connection: ssl.SSLSocket) -> H2Answer:
    answer, buffer = H2Answer(), b""
    while True:
        try:
            chunk = connection.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            answer.is_refused = answer.status == 0
            return answer
        buffer += chunk
        while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3]):
            size, kind, flags = int.from_bytes(buffer[:3]), buffer[3], buffer[4]
            content, buffer = buffer[9 : 9 + size], buffer[9 + size :]
            if _is_last(answer, connection, kind, flags, content):
                return answer


def _is_last(
    answer: H2Answer, connection: ssl.SSLSocket, kind: int, flags: int, content: bytes
) -> bool:
    """Take one frame in; tell whether the stream is over."""
    answer.frames.append(kind)
    if kind == _SETTINGS and not flags & _ACK:
        connection.sendall(_frame(_SETTINGS, _ACK, 0))
    if kind == _HEADERS and not answer.status:
        answer.status = _status(content)
    if kind == _DATA:
        answer.body += content
    if kind in {_RESET, _GOAWAY}:
        answer.is_refused = answer.status == 0
        return True
    return kind in {_DATA, _HEADERS} and bool(flags & _END_STREAM)


def _status(block: bytes) -> int:
    while block[0] & 0xE0 == 0x20:  # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return _STATIC_STATUS[block[0] & 0x7F]
    assert block[0] in _STATUS_NAMES
    return int(block[2:5])


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    head = len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4)
    return head + content


def _literal(name: str, value: str) -> bytes:
    return b"\0" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _length(len(raw)) + raw


def _length(number: int) -> bytes:
    """Write an integer with a prefix of seven bits (RFC 7541, section 5.1)."""
    if number < 127:
        return bytes((number,))
    rest, parts = number - 127, [127]
    while rest >= 128:
        parts.append(rest % 128 + 128)
        rest //= 128
    return bytes((*parts, rest))
