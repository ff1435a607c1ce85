"""How much of everything one conversation, and one user, may have."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that an operator sets.

    Attributes:
        members: Of one conversation.
        title_code_points: Of a title.
        topic_code_points: Of a topic.
        slow_mode_seconds: The slowest slow mode.
        invites: Invites of one conversation that have not expired.
        invite_seconds: Lifetime of an invite.
        bans: Of one conversation.
        pins: Pinned messages of one conversation.
        edit_window_seconds: After so long a message cannot be edited; 0: always.
        edits_kept: Versions of one message.
        edit_history_days: How long a version is kept; 0: as long as its message.
        mention_all_members: Above so many members, members may not mention all.
        scheduled: Messages of one user that wait for their time.
        schedule_days: How far ahead a message may be scheduled.
        retention_days: The longest time that a conversation may ask for.
    """

    members: int = 1_000
    title_code_points: int = 200
    topic_code_points: int = 1_000
    slow_mode_seconds: int = 21_600
    invites: int = 100
    invite_seconds: int = 2_592_000
    bans: int = 1_000
    pins: int = 100
    edit_window_seconds: int = 0
    edits_kept: int = 50
    edit_history_days: int = 0
    mention_all_members: int = 100
    scheduled: int = 100
    schedule_days: int = 365
    retention_days: int = 36_500
