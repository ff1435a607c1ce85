"""What clients may send, strictly: unknown fields and wrong types are refused."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from services.chat.domain.message import MentionKind
from services.chat.domain.presence import LastSeen

Id = Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Revision = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Ids = Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=200)]
FewKinds = Annotated[tuple[MentionKind, ...], msgspec.Meta(max_length=2)]
Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
FewIds = Annotated[tuple[Id, ...], msgspec.Meta(max_length=200)]


class Payload(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of every payload."""


class SendMessage(Payload):
    """``message.send``."""

    conversation_id: Id
    client_message_id: Id
    text: str
    attachments: FewIds = ()
    mentions: FewIds = ()
    mention_kinds: FewKinds = ()
    reply_to_seq: Seq | None = None
    thread_seq: Seq | None = None


class EditMessage(Payload):
    """``message.edit``."""

    conversation_id: Id
    message_id: Id
    text: str
    mentions: FewIds = ()
    mention_kinds: FewKinds = ()


class DeleteMessage(Payload):
    """``message.delete``."""

    conversation_id: Id
    message_id: Id


class React(Payload):
    """``message.react``; to take it back, not added."""

    conversation_id: Id
    message_id: Id
    emoji: Emoji
    is_added: bool = True


class PinMessage(Payload):
    """``message.pin``; to take it off, not pinned."""

    conversation_id: Id
    message_id: Id
    is_pinned: bool = True


class ForwardMessage(Payload):
    """``message.forward``."""

    conversation_id: Id
    client_message_id: Id
    from_conversation_id: Id
    message_id: Id
    thread_seq: Seq | None = None


class ReadThread(Payload):
    """``thread.read``."""

    conversation_id: Id
    thread_seq: Seq
    seq: Seq


class FollowThread(Payload):
    """``thread.follow``."""

    conversation_id: Id
    thread_seq: Seq
    is_following: bool = True


class Subscribe(Payload):
    """``conversation.subscribe`` and ``conversation.unsubscribe``."""

    conversation_ids: Ids


class CatchUpFrom(Payload):
    """``sync``."""

    conversations: Annotated[dict[Id, Revision], msgspec.Meta(max_length=500)] = {}
    user_revision: Revision | None = None


class FollowOwn(Payload):
    """``own.subscribe``."""


class ReadUpTo(Payload):
    """``receipt.read``."""

    conversation_id: Id
    seq: Seq


class StartTyping(Payload):
    """``typing.start``."""

    conversation_id: Id


class SetPresence(Payload):
    """``presence.set``."""

    status: Literal["online", "away"]
    last_seen: LastSeen | None = None


class SetStatus(Payload):
    """``status.set``; an emoji, a text, or both."""

    emoji: Emoji | None = None
    text: Annotated[str, msgspec.Meta(max_length=400)] = ""
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class ClearStatus(Payload):
    """``status.clear``; nothing."""


class GetPresence(Payload):
    """``presence.get``."""

    conversation_id: Id
    user_ids: Ids


class RenewToken(Payload):
    """``token.renew``."""

    token: Token
