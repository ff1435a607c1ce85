"""A page of messages, and what is on both sides of it."""

import msgspec

from services.chat.domain.conversation import Conversation, Member, visible_from
from services.chat.domain.message import Message


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A page of messages in the order of their seq.

    Attributes:
        has_before: Whether the member sees more before it.
        has_after: Whether there is more after it.
        has_more: Whether there is more on the side that was asked for.
    """

    messages: tuple[Message, ...]
    has_before: bool
    has_after: bool
    has_more: bool


def history_of(
    messages: tuple[Message, ...],
    has_more: bool,  # noqa: FBT001 - of the same page
    edges: tuple[int | None, int | None],
    conversation: Conversation,
    member: Member,
) -> History:
    """Tell what is on both sides: seqs have no gap, so the ends of it say it all."""
    first_seq = visible_from(conversation, member)
    before, after = edges
    if messages:
        lowest, highest = messages[0].seq, messages[-1].seq
    elif after is not None:
        lowest, highest = after + 1, conversation.last_seq
    else:
        lowest = first_seq
        highest = conversation.last_seq if before is None else before - 1
    return History(
        messages=messages,
        has_before=lowest > first_seq,
        has_after=highest < conversation.last_seq,
        has_more=has_more,
    )
