"""Which deliveries of a channel are done, told to the broker in few frames."""

from libs.events.rabbitmq.encoding import encode_ack, encode_nack


class Settlements:
    """Deliveries of a channel that are open, in their order, and what was settled.

    Acknowledged ones with nothing open before them share one frame. Each is settled
    once: the broker closes a channel on which one is settled again.
    """

    def __init__(self, channel_number: int) -> None:
        self._channel_number = channel_number
        self._open: dict[int, None] = {}
        self._acked: list[int] = []
        self._frames: list[bytes] = []

    def expect(self, tag: int) -> None:
        """Note a delivery; tags rise."""
        self._open[tag] = None

    def ack(self, tag: int) -> None:
        """Note that a delivery is done."""
        if tag in self._open:
            del self._open[tag]
            self._acked.append(tag)

    def hand_back(self, tag: int) -> None:
        """Note that a delivery goes back."""
        if tag in self._open:
            del self._open[tag]
            self._frames.append(encode_nack(self._channel_number, tag))

    def take(self) -> list[bytes]:
        """Return the frames that tell the broker what was settled since."""
        frames, self._frames = self._frames, []
        acked, self._acked = self._acked, []
        first_open = next(iter(self._open), None)
        within = [tag for tag in acked if first_open is None or tag < first_open]
        if within:
            frames.append(self._ack(max(within), is_multiple=len(within) > 1))
        if len(within) < len(acked):
            frames += [self._ack(tag) for tag in acked if tag > (first_open or 0)]
        return frames

    def _ack(self, tag: int, *, is_multiple: bool = False) -> bytes:
        return encode_ack(self._channel_number, tag, is_multiple=is_multiple)
