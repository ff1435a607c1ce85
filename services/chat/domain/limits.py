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
    """

    members: int = 1_000
    title_code_points: int = 200
    topic_code_points: int = 1_000
    slow_mode_seconds: int = 21_600
    invites: int = 100
    invite_seconds: int = 2_592_000
    bans: int = 1_000
