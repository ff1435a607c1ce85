"""A person as far as notifying them goes: address, presence, preferences."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from libs.kernel import ConversationId, InvalidError, UserId

MUTED_CONVERSATIONS_MAX = 500


class Presence(StrEnum):
    """Who is there; unknown counts as offline."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


@dataclass(frozen=True)
class QuietHours:
    """A daily span in the person's own time zone without push and mail.

    Attributes:
        start: First quiet minute.
        end: First minute that is loud again; before `start` it is on the next day.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        """Refuse a span that is empty or the whole day.

        Raises:
            InvalidError: Start equals end.
        """
        if self.start == self.end:
            raise InvalidError("quiet_hours_empty", "Quiet hours start as they end.")

    def quiet_until(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return when the quiet span that holds `now` ends, in UTC, or None."""
        local = now.astimezone(zone)
        wall = local.time().replace(tzinfo=None)
        if self.start < self.end:
            is_quiet = self.start <= wall < self.end
        else:
            is_quiet = wall >= self.start or wall < self.end
        if not is_quiet:
            return None
        day = local.date()
        if wall >= self.end:
            day += timedelta(days=1)
        return datetime.combine(day, self.end, zone).astimezone(UTC)


@dataclass(frozen=True)
class Preferences:
    """What a person chose; the defaults hold until they choose.

    Attributes:
        push_enabled: Whether devices are told at all.
        email_enabled: Whether missed messages come by mail; account mails always do.
        include_content: Whether a push carries the text of the message. Off by
            default: push providers and lock screens can read it.
        quiet_hours: See `QuietHours`.
        muted_conversation_ids: Conversations of which only mentions are listed.
    """

    push_enabled: bool = True
    email_enabled: bool = True
    include_content: bool = False
    quiet_hours: QuietHours | None = None
    muted_conversation_ids: frozenset[ConversationId] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an unbounded list.

        Raises:
            InvalidError: More than `MUTED_CONVERSATIONS_MAX` muted conversations.
        """
        if len(self.muted_conversation_ids) > MUTED_CONVERSATIONS_MAX:
            raise InvalidError(
                "too_many_muted_conversations",
                "So many conversations cannot be muted one by one.",
                maximum=MUTED_CONVERSATIONS_MAX,
            )


@dataclass(frozen=True)
class Profile:
    """The public profile at a revision; a newer revision replaces it whole.

    Attributes:
        handle: None where the event that brought the profile carries none: the
            known one stays.
        time_zone: IANA name; None as for `handle`.
    """

    user_id: UserId
    revision: int
    display_name: str
    locale: str
    handle: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True)
class Person:
    """Everything known of one user.

    Attributes:
        display_name: Empty while only presence or preferences are known.
        email: Verified address; None before user.verified.
        is_suspended: Suspended accounts are not notified.
        is_deleted: Nothing reaches them any more.
    """

    user_id: UserId
    display_name: str = ""
    handle: str | None = None
    locale: str = "en"
    time_zone: str = "UTC"
    email: str | None = None
    presence: Presence = Presence.OFFLINE
    preferences: Preferences = field(default_factory=Preferences)
    is_suspended: bool = False
    is_deleted: bool = False

    @property
    def is_reachable(self) -> bool:
        """Whether the account may be told anything."""
        return not self.is_suspended and not self.is_deleted

    def quiet_until(self, now: datetime) -> datetime | None:
        """Return when the person's current quiet span ends, or None outside one."""
        hours = self.preferences.quiet_hours
        if hours is None:
            return None
        return hours.quiet_until(now, zone_named(self.time_zone))


def zone_named(name: str) -> tzinfo:
    """Return the time zone of an IANA name; UTC where the name is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
