"""Cut frames from committed events: one type, bounded, one key in flight at most."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

MAX_FRAME_EVENTS = 64
MAX_FRAME_BYTES = 64 * 1024


class Row(msgspec.Struct, frozen=True, gc=False):
    """One committed event as the outbox keeps it.

    Attributes:
        id: The event's id.
        type: Its type, which is the routing key.
        exchange: Where it is published.
        key: Its partition key; events of one key keep their order.
        sequence: CloudEvents ``sequence``; orders the rows of a key when swept.
        body: The encoded CloudEvent.
        is_alone: Refused before: travels in a frame of its own.
        traceparent: Of the span that published it, while that is known.
    """

    id: str
    type: str
    exchange: str
    key: str
    sequence: int | None
    body: bytes
    is_alone: bool = False
    traceparent: str | None = None


@dataclass(eq=False, slots=True)
class Frame:
    """Rows that travel in one message."""

    type: str
    exchange: str
    rows: list[Row] = field(default_factory=list)
    size_bytes: int = 2

    def takes(self, row: Row) -> bool:
        """Tell whether one more row fits; the first one always does."""
        if not self.rows:
            return True
        if row.is_alone or self.rows[0].is_alone:
            return False
        return (
            len(self.rows) < MAX_FRAME_EVENTS
            and self.size_bytes + len(row.body) + 1 <= MAX_FRAME_BYTES
        )

    def add(self, row: Row) -> None:
        """Put a row behind the others."""
        self.size_bytes += len(row.body) + (1 if self.rows else 0)
        self.rows.append(row)


class FrameQueue:
    """Committed rows by key, in commit order, and what of them may travel now.

    A key is *ready* while none of its rows is in an unconfirmed frame. A frame takes
    rows of one type from the heads of ready keys; its keys are busy until `confirm`
    or `put_back`. So at most one unconfirmed frame holds a given key, and a key
    whose type changes waits for the confirm.
    """

    def __init__(self) -> None:
        self._rows: dict[str, deque[Row]] = {}
        self._ready: dict[str, deque[str]] = {}
        self._busy: set[str] = set()
        self._ids: set[str] = set()
        self.size_bytes = 0

    def __len__(self) -> int:
        """Rows that are held, those in unconfirmed frames included."""
        return len(self._ids)

    def __contains__(self, row_id: str) -> bool:
        """Tell whether a row is held, queued or in an unconfirmed frame."""
        return row_id in self._ids

    def add(self, rows: Iterable[Row]) -> None:
        """Queue rows in commit order; those already held are skipped."""
        for row in rows:
            if row.id in self._ids:
                continue
            self._ids.add(row.id)
            self.size_bytes += len(row.body)
            queue = self._rows.get(row.key)
            if queue is None:
                queue = self._rows[row.key] = deque()
            queue.append(row)
            if len(queue) == 1 and row.key not in self._busy:
                self._mark_ready(row.key)

    def next_frame(self) -> Frame | None:
        """Take the next frame, None while every key is busy or nothing is queued."""
        if not self._ready:
            return None
        event_type = next(iter(self._ready))
        keys = self._ready.pop(event_type)
        frame = Frame(event_type, self._rows[keys[0]][0].exchange)
        while keys and self._take(frame, keys[0]):
            self._busy.add(keys.popleft())
        if keys:
            self._ready[event_type] = keys  # behind the other types: none starves
        return frame

    def confirm(self, frame: Frame) -> None:
        """Forget a frame's rows and let its keys go on."""
        self._forget(frame.rows)
        self._release(frame)

    def put_back(self, frame: Frame) -> None:
        """Queue the rows of an unconfirmed frame again, before all others."""
        for row in reversed(frame.rows):
            self._rows.setdefault(row.key, deque()).appendleft(row)
        self._release(frame)

    def drop(self, frame: Frame) -> None:
        """Forget a frame and everything queued behind its keys."""
        self._forget(frame.rows)
        for key in {row.key for row in frame.rows}:
            self._forget(self._rows.pop(key, ()))
            self._busy.discard(key)

    def _take(self, frame: Frame, key: str) -> bool:
        """Move rows of a key into the frame; False if its head did not fit."""
        queue = self._rows[key]
        if not frame.takes(queue[0]):
            return False
        while queue and queue[0].type == frame.type and frame.takes(queue[0]):
            frame.add(queue.popleft())
        return True

    def _release(self, frame: Frame) -> None:
        for key in dict.fromkeys([row.key for row in frame.rows]):
            self._busy.discard(key)
            if self._rows.get(key):
                self._mark_ready(key)
            else:
                self._rows.pop(key, None)

    def _mark_ready(self, key: str) -> None:
        self._ready.setdefault(self._rows[key][0].type, deque()).append(key)

    def _forget(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._ids.discard(row.id)
            self.size_bytes -= len(row.body)
