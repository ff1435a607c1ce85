"""What of a user's doing is counted, whatever the way in."""

from enum import StrEnum


class Rated(StrEnum):
    """Something that a user does only so often."""

    OPEN = "open"
    INVITE = "invite"
    ACCEPT = "accept"
    JOIN = "join"
