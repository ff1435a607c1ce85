"""Which deliveries of a channel are done, told to the broker in few frames."""

from collections import deque

from libs.events.rabbitmq.encoding import encode_ack, encode_nack


class Settlements:
    """Deliveries of a channel in their order, and which of them are settled.

    Acknowledged ones with nothing open before them share one frame.
    """

    def __init__(self, channel_number: int) -> None:
        self._channel_number = channel_number
        self._open: deque[int] = deque()
        self._settled: set[int] = set()
        self._acked: list[int] = []
        self._frames: list[bytes] = []

    def expect(self, tag: int) -> None:
        """Note a delivery; tags rise."""
        self._open.append(tag)

    def ack(self, tag: int) -> None:
        """Note that a delivery is done."""
        self._acked.append(tag)

    def hand_back(self, tag: int) -> None:
        """Note that a delivery goes back."""
        self._settled.add(tag)
        self._frames.append(encode_nack(self._channel_number, tag))

    def take(self) -> list[bytes]:
        """Return the frames that tell the broker what was settled since."""
        self._settled.update(self._acked)
        front = 0
        while self._open and self._open[0] in self._settled:
            front = self._open.popleft()
            self._settled.remove(front)
        within = [tag for tag in self._acked if tag <= front]
        if within:
            self._frames.append(self._ack(max(within), is_multiple=len(within) > 1))
        self._frames += [self._ack(tag) for tag in self._acked if tag > front]
        self._acked.clear()
        frames, self._frames = self._frames, []
        return frames

    def _ack(self, tag: int, *, is_multiple: bool = False) -> bytes:
        return encode_ack(self._channel_number, tag, is_multiple=is_multiple)
