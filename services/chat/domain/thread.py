"""Threads: the messages that answer one message, named by its seq."""

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.message import Message


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """What one user has to do with a thread.

    Attributes:
        is_following: Whether the user wants to know of what is new in it.
        read_seq: Everything of the thread up to it is read.
    """

    conversation_id: ConversationId
    thread_seq: int
    user_id: UserId
    is_following: bool
    read_seq: int = 0


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer does to one user's follow of its thread.

    Attributes:
        follows: Follow it again, whatever was said before: the user wrote in it.
        read_seq: The user has read up to it; 0 tells nothing.
    """

    conversation_id: ConversationId
    thread_seq: int
    user_id: UserId
    follows: bool = False
    read_seq: int = 0


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """By how much one commit makes a thread longer."""

    conversation_id: ConversationId
    thread_seq: int
    replies: int
    last_reply_seq: int


def growth_of(messages: list[Message]) -> list[Growth]:
    """Return how threads grow by new messages, once for each thread."""
    grown: dict[tuple[ConversationId, int], Growth] = {}
    for message in messages:
        if message.thread_seq is None:
            continue
        key = (message.conversation_id, message.thread_seq)
        known = grown.get(key)
        grown[key] = Growth(
            conversation_id=message.conversation_id,
            thread_seq=message.thread_seq,
            replies=1 + (known.replies if known else 0),
            last_reply_seq=max(message.seq, known.last_reply_seq if known else 0),
        )
    return list(grown.values())


def touches_of(message: Message, author_id: UserId | None) -> list[Touch]:
    """Return whose follow an answer touches: its sender's, those mentioned, the author.

    Who is mentioned, or wrote the message that is answered, follows from then on
    unless they said otherwise; who answers follows again.
    """
    if message.thread_seq is None:
        return []
    people = dict.fromkeys(message.mentions)
    if author_id is not None:
        people[author_id] = None
    people.pop(message.sender_id, None)
    place = (message.conversation_id, message.thread_seq)
    return [
        Touch(
            conversation_id=place[0],
            thread_seq=place[1],
            user_id=message.sender_id,
            follows=True,
            read_seq=message.seq,
        ),
        *(
            Touch(conversation_id=place[0], thread_seq=place[1], user_id=user_id)
            for user_id in people
        ),
    ]
