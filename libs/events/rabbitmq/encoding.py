"""What a published message is on the wire: the driver's bytes, but for what varies.

The driver encodes a message's method and properties field by field; of the messages of
one type only id, size and body differ, so the rest is encoded once.
Source: AMQP 0-9-1, sections 2.3.5 and 4.2.6.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from aiormq import spec
from pamqp.common import FieldValue
from pamqp.constants import FRAME_BODY, FRAME_END_CHAR, FRAME_METHOD
from pamqp.frame import marshal
from pamqp.header import ContentHeader

from libs.events.envelope import CONTENT_TYPE

ID_LENGTH = 36
_ID_MARK = "\0" * ID_LENGTH
_FRAME_HEAD = struct.Struct(">BHI")
_BODY_SIZE = struct.Struct(">Q")
_BEFORE_SIZE = _FRAME_HEAD.size + 4  # class and weight stand before the size
_ACK = struct.Struct(">BHIIQBc")
_ACK_SIZE = 13  # method, tag and one byte of bits
_PERSISTENT = 2
_TRANSIENT = 1


class Template(NamedTuple):
    """A message without id and body.

    Attributes:
        method: The method frame, and the header frame up to the body's size.
        before_id: The properties up to the message's id.
        after_id: What follows it, frame end included.
        channel_number: Channel that all of it is for.
    """

    method: bytes
    before_id: bytes
    after_id: bytes
    channel_number: int

    def fill(self, message_id: bytes, body: bytes, most_bytes: int) -> bytes:
        """Return the frames of one message.

        Args:
            message_id: Of `ID_LENGTH` ASCII characters.
            body: The content; not empty.
            most_bytes: Content that one body frame may hold.
        """
        size = _BODY_SIZE.pack(len(body))
        parts = [self.method, size, self.before_id, message_id, self.after_id]
        for start in range(0, len(body), most_bytes):
            part = body[start : start + most_bytes]
            head = _FRAME_HEAD.pack(FRAME_BODY, self.channel_number, len(part))
            parts += (head, part, FRAME_END_CHAR)
        return b"".join(parts)


def make_template(
    channel_number: int,
    exchange: str,
    routing_key: str,
    *,
    event_type: str,
    app_id: str,
    headers: Mapping[str, FieldValue],
    is_persistent: bool,
) -> Template:
    """Encode everything of a message but its id and body; unroutable, it returns."""
    method = spec.Basic.Publish(
        exchange=exchange, routing_key=routing_key, mandatory=True
    )
    properties = spec.Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT if is_persistent else _TRANSIENT,
        message_id=_ID_MARK,
        message_type=event_type,
        app_id=app_id,
        headers=dict(headers),
    )
    header = marshal(ContentHeader(properties=properties), channel_number)
    before_id, _, after_id = header.rpartition(_ID_MARK.encode())
    return Template(
        method=marshal(method, channel_number) + before_id[:_BEFORE_SIZE],
        before_id=before_id[_BEFORE_SIZE + _BODY_SIZE.size :],
        after_id=after_id,
        channel_number=channel_number,
    )


@lru_cache(maxsize=4096)
def frame_template(
    channel_number: int,
    exchange: str,
    event_type: str,
    app_id: str,
    count: int,
    *,
    is_persistent: bool,
) -> Template:
    """Return the template of a first publication of so many events of one type."""
    return make_template(
        channel_number,
        exchange,
        event_type,
        event_type=event_type,
        app_id=app_id,
        headers={"x-attempt": 1, "x-count": count},
        is_persistent=is_persistent,
    )


def encode_ack(channel_number: int, tag: int, *, is_multiple: bool) -> bytes:
    """Return the frame that settles a delivery, or all outstanding ones up to it."""
    head = (FRAME_METHOD, channel_number, _ACK_SIZE, spec.Basic.Ack.index)
    return _ACK.pack(*head, tag, is_multiple, FRAME_END_CHAR)


def encode_nack(channel_number: int, tag: int) -> bytes:
    """Return the frame that hands a delivery back to its queue."""
    frame = spec.Basic.Nack(delivery_tag=tag, requeue=True)
    return marshal(frame, channel_number)
