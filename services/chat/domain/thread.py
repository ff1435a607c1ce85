"""Threads: the messages that answer one message, named by its seq."""

from collections.abc import Iterable, Mapping

import msgspec

from libs.kernel import ConversationId, UserId
from services.chat.domain.message import Message

FollowKey = tuple[ConversationId, int, UserId]
"""Conversation, seq of the thread, user."""


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """What one user has to do with a thread; an item of the user's own stream.

    Attributes:
        is_following: Whether the user wants to know of what is new in it.
        is_undecided: The user has read in it and neither followed it nor stopped: a
            mention makes them follow it.
        read_seq: Everything of the thread up to it is read.
        user_revision: The user's, of the last change by other means than answering;
            0 for one from before threads were in that stream.
    """

    conversation_id: ConversationId
    thread_seq: int
    user_id: UserId
    is_following: bool
    is_undecided: bool = False
    read_seq: int = 0
    user_revision: int = 0

    @property
    def key(self) -> FollowKey:
        """Whose, and of which thread."""
        return (self.conversation_id, self.thread_seq, self.user_id)


def undecided(
    conversation_id: ConversationId, thread_seq: int, user_id: UserId
) -> Follow:
    """Return what somebody has to do with a thread before anything happened."""
    return Follow(
        conversation_id=conversation_id,
        thread_seq=thread_seq,
        user_id=user_id,
        is_following=False,
        is_undecided=True,
    )


class Touched(msgspec.Struct, frozen=True):
    """What the answers of one commit do to follows.

    Attributes:
        begun: Those that the users' own streams have to tell, without a revision yet:
            the user follows from now on.
        moved: The other ones that change, by their marker alone.
    """

    begun: list[Follow]
    moved: list[Follow]


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

    @property
    def key(self) -> FollowKey:
        """Whose follow, and of which thread."""
        return (self.conversation_id, self.thread_seq, self.user_id)


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


def touched(touches: Iterable[Touch], known: Mapping[FollowKey, Follow]) -> Touched:
    """Return what answers make of follows, given those that are stored."""
    after: dict[FollowKey, Follow] = {}
    for touch in touches:
        before = after.get(touch.key) or known.get(touch.key)
        after[touch.key] = _after(touch, before)
    begun: list[Follow] = []
    moved: list[Follow] = []
    for key, follow in after.items():
        before = known.get(key)
        if follow == before:
            continue
        was_following = before is not None and before.is_following
        is_told = was_following == follow.is_following and follow.user_revision > 0
        (moved if is_told else begun).append(follow)
    return Touched(begun, moved)


def _after(touch: Touch, before: Follow | None) -> Follow:
    before = before or undecided(*touch.key)
    follows = before.is_following or touch.follows or before.is_undecided
    return msgspec.structs.replace(
        before,
        is_following=follows,
        is_undecided=False,
        read_seq=max(before.read_seq, touch.read_seq),
    )
