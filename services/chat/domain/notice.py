"""What system messages tell."""

from enum import StrEnum

import msgspec

from libs.kernel import UserId


class NoticeType(StrEnum):
    """What somebody did to a conversation."""

    MEMBER_ADDED = "member_added"
    MEMBER_JOINED = "member_joined"
    MEMBER_LEFT = "member_left"
    MEMBER_REMOVED = "member_removed"
    TITLE_CHANGED = "title_changed"
    TOPIC_CHANGED = "topic_changed"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a system message; who did it is the message's sender.

    Attributes:
        type: What happened.
        user_id: To whom, where it is about membership.
        title: The new title, or topic.
    """

    type: NoticeType
    user_id: UserId | None = None
    title: str | None = None


def encode_notice(notice: Notice) -> str:
    """Return the JSON text that is sealed at rest and in events."""
    return msgspec.json.encode(notice).decode()


def decode_notice(encoded: str) -> Notice:
    """Return an opened notice."""
    return msgspec.json.decode(encoded, type=Notice)
