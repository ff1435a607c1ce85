"""Requests that two servers could read in two ways (HT-4).

Each is sent as it stands. `SMUGGLED` is what the attacker wants the service to see as a
request of its own, or in front of somebody else's.
"""

from dataclasses import dataclass

OPEN = "/api/v1/media/open/echo"
SMUGGLED = "GET /api/v1/media/open/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
REFUSED = (400, 405, 421)


@dataclass(frozen=True)
class Attack:
    """One request.

    Attributes:
        text: Its bytes.
        statuses: Answers that are right.
        served: Requests that the service may see of it, at most.
    """

    text: bytes
    statuses: tuple[int, ...] = REFUSED
    served: int = 0


def post(
    fields: str, body: str, statuses: tuple[int, ...] = REFUSED, served: int = 0
) -> Attack:
    """Return a POST whose header has more fields."""
    head = f"POST {OPEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n"
    return Attack((head + body).encode("latin-1"), statuses, served)


def raw(text: str, statuses: tuple[int, ...] = REFUSED, served: int = 0) -> Attack:
    """Return a request written in full."""
    return Attack(text.encode("latin-1"), statuses, served)


CHUNKED = "Transfer-Encoding: chunked\r\n"
ENDED = f"0\r\n\r\n{SMUGGLED}"
CHUNK = f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
HOST = "Host: 127.0.0.1\r\n"
CLOSE = "Connection: close\r\n"

TWO_LENGTHS = {
    "CL.TE": post(f"Content-Length: {len(ENDED)}\r\n{CHUNKED}", ENDED),
    "TE.CL": post(f"{CHUNKED}Content-Length: 4\r\n", CHUNK),
    "CL zero and TE": post(f"Content-Length: 0\r\n{CHUNKED}", ENDED),
    "two equal lengths": post("Content-Length: 5\r\n" * 2, "hello"),
    "two lengths": post("Content-Length: 0\r\nContent-Length: 90\r\n", SMUGGLED),
    "length list": post("Content-Length: 5, 5\r\n", "hello"),
    "length with plus": post("Content-Length: +5\r\n", "hello"),
    "length below zero": post("Content-Length: -1\r\n", SMUGGLED),
    "length in hex": post("Content-Length: 0x5\r\n", "hello"),
    "length with blank": post("Content-Length: 5 5\r\n", "hello"),
    "length beyond 2^64": post("Content-Length: 18446744073709551621\r\n", "hello"),
    "length empty": post("Content-Length: \r\n", SMUGGLED),
    "length with a fraction": post("Content-Length: 5.0\r\n", "hello"),
}

CODINGS = {
    f"TE {name}": post(f"{field}\r\n{more}", ENDED)
    for name, field, more in [
        ("misspelt", "Transfer-Encoding: xchunked", ""),
        ("identity", "Transfer-Encoding: identity", ""),
        ("gzip then chunked", "Transfer-Encoding: gzip, chunked", ""),
        ("chunked then identity", "Transfer-Encoding: chunked, identity", ""),
        ("chunked twice", "Transfer-Encoding: chunked, chunked", ""),
        ("quoted", 'Transfer-Encoding: "chunked"', ""),
        ("with parameter", "Transfer-Encoding: chunked;q=1", ""),
        ("blank before colon", "Transfer-Encoding : chunked", ""),
        ("tab before colon", "Transfer-Encoding\t: chunked", ""),
        ("vertical tab", "Transfer-Encoding: \x0bchunked", ""),
        ("NUL", "Transfer-Encoding: chunked\0", ""),
        ("two fields", "Transfer-Encoding: chunked", "Transfer-Encoding: x\r\n"),
        ("two fields reversed", "Transfer-Encoding: x", CHUNKED),
        ("folded", "Transfer-Encoding:\r\n chunked", ""),
        ("folded field", "X: x\r\n Transfer-Encoding: chunked", ""),
        ("empty", "Transfer-Encoding:", ""),
        ("bare CR", "X: x\rTransfer-Encoding: chunked", ""),
    ]
} | {
    # Dropped as names that are none: what is left has no body.
    "TE with underscore": post(
        "Transfer_Encoding: chunked\r\n" + CLOSE, "", (200,), served=1
    ),
    "TE in HTTP/1.0": raw(f"POST {OPEN} HTTP/1.0\r\n{HOST}{CHUNKED}\r\n{ENDED}"),
}

CHUNKS = {
    f"chunk {name}": post(CHUNKED, body, (400, 408))
    for name, body in [
        ("no number", f"zz\r\n{SMUGGLED}"),
        ("below zero", f"-1\r\n{SMUGGLED}"),
        ("with plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("in hex notation", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("beyond 2^64", f"FFFFFFFFFFFFFFFF5\r\n{SMUGGLED}"),
        ("longer than its size", f"1\r\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        ("with NUL", "5\0\r\nhello\r\n0\r\n\r\n"),
    ]
}

CHUNKS["chunk size and a blank"] = post(  # read as 5, and sent on as nginx writes it
    CHUNKED + CLOSE, "5 5\r\nhello\r\n0\r\n\r\n", (200, 400), served=1
)

LINES = {
    # A line that is no field is left out.
    "header without colon": raw(
        f"GET {OPEN} HTTP/1.1\r\n{HOST}nonsense\r\n{CLOSE}\r\n", (200,), 1
    ),
    "blank before colon": raw(f"GET {OPEN} HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n"),
    "first header folded": raw(f"GET {OPEN} HTTP/1.1\r\n {HOST}\r\n"),
    "NUL in a value": raw(f"GET {OPEN} HTTP/1.1\r\n{HOST}X: a\0b\r\n\r\n"),
    "bare CR in a value": raw(f"GET {OPEN} HTTP/1.1\r\n{HOST}X: a\rY: b\r\n\r\n"),
    "bare CR as end": raw(f"GET {OPEN} HTTP/1.1\r{HOST}\r\r"),
    "two blanks": raw(f"GET  {OPEN}  HTTP/1.1\r\n{HOST}{CLOSE}\r\n", (200, 400), 1),
    "tab in the request line": raw(f"GET\t{OPEN} HTTP/1.1\r\n{HOST}\r\n"),
    "blank in the target": raw(f"GET {OPEN}?a b HTTP/1.1\r\n{HOST}\r\n"),
    "lower-case method": raw(f"get {OPEN} HTTP/1.1\r\n{HOST}\r\n"),
    "method with a colon": raw(f"GET: {OPEN} HTTP/1.1\r\n{HOST}\r\n"),
    "no version": raw(f"GET {OPEN}\r\n{HOST}\r\n", (0, *REFUSED)),
    "version 2 as text": raw(f"GET {OPEN} HTTP/2.0\r\n{HOST}\r\n"),
    "bare LF everywhere": raw(
        f"GET {OPEN} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n", (200,), 1
    ),
    "bare LF hides a length": raw(
        f"POST {OPEN} HTTP/1.1\r\n{HOST}X: x\nContent-Length: 5\r\n{CLOSE}\r\nhello",
        (200,),
        1,
    ),
    "CONNECT": raw(f"CONNECT 127.0.0.1:80 HTTP/1.1\r\n{HOST}\r\n"),
    "TRACE": raw(f"TRACE {OPEN} HTTP/1.1\r\n{HOST}\r\n"),
    "upgrade to h2c": raw(
        f"GET {OPEN} HTTP/1.1\r\n{HOST}Connection: Upgrade, HTTP2-Settings, close\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        (200,),
        1,
    ),
}

HOSTS = {
    "no host": raw(f"GET {OPEN} HTTP/1.1\r\n\r\n"),
    "two hosts": raw(f"GET {OPEN} HTTP/1.1\r\n{HOST}{HOST}\r\n"),
    "two different hosts": raw(f"GET {OPEN} HTTP/1.1\r\n{HOST}Host: evil\r\n\r\n"),
    "foreign host": raw(f"GET {OPEN} HTTP/1.1\r\nHost: evil.example\r\n{CLOSE}\r\n"),
    "host with user": raw(
        f"GET {OPEN} HTTP/1.1\r\nHost: 127.0.0.1@evil\r\n{CLOSE}\r\n"
    ),
    "host with path": raw(
        f"GET {OPEN} HTTP/1.1\r\nHost: 127.0.0.1/evil\r\n{CLOSE}\r\n"
    ),
    "host with blank": raw(
        f"GET {OPEN} HTTP/1.1\r\nHost: 127.0.0.1 evil\r\n{CLOSE}\r\n"
    ),
    "host that ends in ours": raw(
        f"GET {OPEN} HTTP/1.1\r\nHost: evil-127.0.0.1\r\n{CLOSE}\r\n"
    ),
    "absolute form, foreign": raw(
        f"GET http://evil.example{OPEN} HTTP/1.1\r\n{HOST}{CLOSE}\r\n"
    ),
    "absolute form, other scheme": raw(
        f"GET gopher://127.0.0.1{OPEN} HTTP/1.1\r\n{HOST}{CLOSE}\r\n",
        (200, *REFUSED),
        1,
    ),
    # The target's host is the one that counts (RFC 9112, section 3.2.2).
    "absolute form, Host foreign": raw(
        f"GET http://127.0.0.1{OPEN} HTTP/1.1\r\nHost: evil.example\r\n{CLOSE}\r\n",
        (200,),
        1,
    ),
    "authority form": raw(f"GET 127.0.0.1:80 HTTP/1.1\r\n{HOST}\r\n"),
}

ATTACKS = TWO_LENGTHS | CODINGS | CHUNKS | LINES | HOSTS
