"""The use cases on presence, put together."""

from dataclasses import dataclass

from services.chat.service.custom_status import CustomStatuses
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.presence import Presence
from services.chat.service.presence_views import PresenceViews


@dataclass(frozen=True)
class PresenceCore:
    """Who is there, what they say of themselves, and who may see it."""

    heartbeats: Presence
    views: PresenceViews
    statuses: CustomStatuses


def build_presence(outside: Outside, limits: CoreLimits) -> PresenceCore:
    """Put the use cases together."""
    cards, clock = outside.records.cards, outside.clock
    return PresenceCore(
        heartbeats=Presence(
            outside.bus,
            outside.presence,
            cards,
            clock,
            grace_seconds=limits.presence_grace_seconds,
            heartbeat_seconds=limits.presence_heartbeat_seconds,
        ),
        views=PresenceViews(
            outside.presence,
            cards,
            outside.conversations,
            outside.records.contacts,
            clock=clock,
        ),
        statuses=CustomStatuses(outside.bus, cards, outside.sealer, clock),
    )
