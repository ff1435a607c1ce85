"""What a service holds of a person, as a stream of JSON lines (GDPR art. 15 and 20).

The first line says of whom and when, each further one is a record of some kind, the
last counts them: a file without it is not whole. Records are read while the client
takes them, so an export of any size needs the memory of a page.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, TypeAlias

import msgspec
from fastapi.responses import StreamingResponse

from libs.kernel import SystemClock, UserId

EXPORT_FORMAT: Final = 1
Record: TypeAlias = tuple[str, Any]
"""Kind of a record, and what it says: anything that JSON has a form for."""

_encode = msgspec.json.Encoder().encode


class ExportResponse(StreamingResponse):
    """A file of JSON lines; its media type is that of the answer."""

    media_type = "application/x-ndjson"


def export_response(
    service: str, user_id: UserId, records: AsyncIterable[Record]
) -> ExportResponse:
    """Return what streams a person's records.

    Args:
        service: Whose part it is.
        user_id: Of whom.
        records: Read as fast as the client takes them.
    """
    head = {
        "service": service,
        "user_id": user_id,
        "at": SystemClock().now(),
        "format": EXPORT_FORMAT,
    }
    name = f"parley-{service}-{user_id}.jsonl"
    return ExportResponse(
        _lines(head, records),
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _lines(
    head: dict[str, Any], records: AsyncIterable[Record]
) -> AsyncIterator[bytes]:
    yield _line("export", head)
    count = 0
    async for kind, said in records:
        yield _line(kind, said)
        count += 1
    yield _line("end", {"count": count})


def _line(kind: str, said: object) -> bytes:
    return _encode({"kind": kind, "data": said}) + b"\n"
