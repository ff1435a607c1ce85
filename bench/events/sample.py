"""The payload that every system carries: a chat message with a sealed body.

Standard library only, as `bench.events.meter`.
"""

from base64 import b64encode
from typing import Any

CONVERSATIONS = 1024
CONTENT = b64encode(b"Ciphertext of a sentence of about fifty characters.").decode() * 2
EXCHANGE = "sample.events"
PEER_EXCHANGE = "sample.peers"
PREFETCH = 64
PUBLISHERS = 128
"""Publishes that wait for their confirm; the bus's own window has this size."""


def fields_of(number: int) -> dict[str, Any]:
    """Return the fields of one event; `revision` is its number."""
    return {
        "conversation_id": f"0193a5c4-7f1e-7abc-8def-{number % CONVERSATIONS:012x}",
        "message_id": f"0193a5c4-7f1e-7abd-8def-{number:012x}",
        "client_message_id": f"0193a5c4-7f1e-7abe-8def-{number:012x}",
        "seq": number,
        "revision": number,
        "sender_id": "0193a5c4-7f1e-7abf-8def-0123456789ab",
        "content": CONTENT,
        "mentions": ["0193a5c4-7f1e-7abf-8def-0123456789ac"],
    }
