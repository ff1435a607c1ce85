"""Stubs of forgotten messages in MongoDB: the message's document, without its rest.

A stub keeps its place in the unique index of conversation, sender and client id, which
every commit looks into anyway: a resend meets it there, and a send pays nothing for it.
Its numbers are stored below zero, where they stay unique and where nothing that asks
for messages looks. Source: ADR 0027.
"""

from typing import Any

Document = dict[str, Any]  # what BSON holds

IS_MESSAGE: Document = {"seq": {"$gt": 0}}
"""Leaves stubs out of a query that has no bound of seq of its own."""

IS_STUB: Document = {"seq": {"$lt": 0}}
"""Finds stubs alone."""

TO_STUB: list[Document] = [
    {
        "$replaceWith": {
            "_id": "$_id",
            "conversation_id": "$conversation_id",
            "sender_id": "$sender_id",
            "client_message_id": "$client_message_id",
            "seq": {"$multiply": ["$seq", -1]},
            "revision": {"$multiply": ["$revision", -1]},
            "sent_at": "$sent_at",
        }
    }
]
"""The update that makes a message its stub; for what `IS_MESSAGE` finds alone."""


def is_stub(document: Document) -> bool:
    """Tell a stub from a message."""
    return bool(document["seq"] < 0)


def as_tombstone(stub: Document) -> Document:
    """Return a stub as the deleted message that its sender is answered with."""
    numbers = {"seq": -stub["seq"], "revision": -stub["revision"]}
    return {**stub, **numbers, "is_deleted": True}
