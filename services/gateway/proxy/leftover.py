"""What a client still sends while it is already refused.

The edge passes bodies on as they come. A connection that is closed with bytes unread is
reset, and the edge loses the answer that lies in it: the client would be told of an
outage (503) where it was refused. So the rest is read, for a moment and up to a bound:
the edge lets no more through.
"""

import asyncio
from contextlib import suppress

from libs.chassis.asgi import Receive, Scope
from services.gateway.domain.headers import first

_LONGEST_SECONDS = 1.0
_MOST_BYTES = 2_097_152


async def read_leftover(scope: Scope, receive: Receive) -> None:
    """Read a request's body to its end, if it has one, and forget it.

    Returns:
        After its last part, after the client has gone, or when it takes too long or is
        too much. To call it after the body has been read is harmless.
    """
    headers = scope["headers"]
    length = first(headers, b"content-length")
    if length in {None, b"0"} and first(headers, b"transfer-encoding") is None:
        return
    left = _MOST_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                left -= len(message.get("body", b""))
