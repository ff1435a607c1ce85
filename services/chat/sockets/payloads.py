"""What clients may send, strictly: unknown fields and wrong types are refused."""

from typing import Annotated, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Revision = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Ids = Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=200)]
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
    reply_to_seq: Seq | None = None


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
    shows_last_seen: bool | None = None


class GetPresence(Payload):
    """``presence.get``."""

    conversation_id: Id
    user_ids: Ids


class RenewToken(Payload):
    """``token.renew``."""

    token: Token
