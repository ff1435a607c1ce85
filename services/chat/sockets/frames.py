"""Socket.IO packets as text frames (protocol revision 5, default namespace)."""

import re
from typing import NamedTuple

import msgspec
import orjson

from libs.kernel import AppError, InvalidError

DISCONNECT = b"41"
_ACK_ID = re.compile(r"\d{0,10}")
_PARTS = 2
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_name_decoder = msgspec.json.Decoder(str)


class ClientEvent(NamedTuple):
    """An event as it came in.

    Attributes:
        name: As the client wrote it.
        payload: Its JSON text.
        ack_id: Digits to answer under; empty where no answer is wanted.
    """

    name: str
    payload: msgspec.Raw
    ack_id: str


class FrameInvalidError(InvalidError):
    """An EVENT packet that is none.

    Attributes:
        ack_id: What can be answered under, perhaps nothing.
    """

    def __init__(self, ack_id: str) -> None:
        super().__init__("payload_invalid", "An event has a name and one object.")
        self.ack_id = ack_id


def parse_event(text: str) -> ClientEvent:
    """Split the text of an EVENT packet, after its ``42``.

    Raises:
        FrameInvalidError: It is not ``[name, payload]``.
    """
    match = _ACK_ID.match(text)
    ack_id = match.group() if match else ""
    try:
        parts = _decoder.decode(text[len(ack_id) :])
        name = _name_decoder.decode(parts[0]) if parts else ""
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise FrameInvalidError(ack_id) from error
    if len(parts) != _PARTS:
        raise FrameInvalidError(ack_id)
    return ClientEvent(name, parts[1], ack_id)


def encode_payload(payload: object) -> bytes:
    """Return the JSON text of what an event says."""
    return orjson.dumps(payload, option=_OPTIONS)


def encode_event(name: str, payload: object) -> bytes:
    """Return the EVENT packet of a server's event.

    Args:
        name: Of the event; a plain word.
        payload: What it says, or its JSON text.
    """
    text = payload if isinstance(payload, bytes) else encode_payload(payload)
    return b'42["%b",%b]' % (name.encode(), text)


def encode_resync(reason: str, reconnect_after_seconds: float) -> bytes:
    """Return the event that asks a client to come back later, and to catch up."""
    seconds = round(reconnect_after_seconds, 2)
    payload = {"reason": reason, "reconnect_after_seconds": seconds}
    return encode_event("resync", payload)


def encode_ack(ack_id: str, result: object) -> bytes:
    """Return the ACK packet with one result."""
    return b"43" + ack_id.encode() + orjson.dumps([result], option=_OPTIONS)


def error_result(error: AppError) -> dict[str, object]:
    """Return what a failed event is acknowledged with."""
    described: dict[str, object] = {"code": error.code, "message": error.message}
    if error.retry_after_seconds is not None:
        described["retry_after_seconds"] = error.retry_after_seconds
    described |= {name: error.details[name] for name in error.details}
    return {"error": described}
