"""Answers to what is no request: no application sees it."""

# In the words of the edge, which says the same of heads that end there already.
_REFUSALS = {
    400: (b"Bad Request", b"request_malformed"),
    431: (b"Request Header Fields Too Large", b"headers_too_large"),
}


class TooEarlyError(Exception):
    """A request came before the answer to the one ahead of it was taken."""


def refusal(status: int) -> bytes:
    """Return an answer whole; no other follows on its connection."""
    title, code = _REFUSALS[status]
    body = b'{"type":"about:blank","title":"%b","status":%d,"code":"%b"}' % (
        title,
        status,
        code,
    )
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\n"
        b"connection: close\r\ncontent-length: %d\r\n\r\n%b"
    ) % (status, title, len(body), body)
