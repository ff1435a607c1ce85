"""The use cases of chat over any adapters; opens nothing."""

from dataclasses import dataclass, replace

from services.chat.service.directory import Directory
from services.chat.service.feed import LiveFeed
from services.chat.service.live import LiveDelivery
from services.chat.service.markers import ReadMarkers
from services.chat.service.membership_core import MembershipCore, build_membership
from services.chat.service.message_core import MessageCore, build_messages
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.own_core import OwnCore, build_own
from services.chat.service.presence_core import PresenceCore, build_presence
from services.chat.service.presence_feed import PresenceFeed
from services.chat.service.rates import RatedWriter, UserLimits
from services.chat.service.removals import Removals
from services.chat.service.sync import Sync


@dataclass(frozen=True)
class Core:
    """Every use case, put together."""

    membership: MembershipCore
    talk: MessageCore
    sync: Sync
    markers: ReadMarkers
    own: OwnCore
    directory: Directory
    live: LiveDelivery
    feed: LiveFeed
    presence_feed: PresenceFeed
    presence: PresenceCore


def build_core(outside: Outside, limits: CoreLimits) -> Core:
    """Put the use cases together."""
    sync = Sync(outside.conversations, outside.messages)
    live = LiveDelivery(
        outside.rooms,
        outside.conversations,
        sync,
        clock=outside.clock,
        limits=limits.live,
    )
    rates = UserLimits(
        outside.buckets, outside.clock, limits=limits.rates, messages=limits.messages
    )
    outside = replace(outside, writer=RatedWriter(outside.writer, rates))
    removals = Removals(live, outside.removals)
    membership = build_membership(outside, limits, removals, rates)
    own = build_own(outside, limits, membership.conversations, sync)
    live.poll_with(own.live.poll_once)
    return Core(
        membership=membership,
        talk=build_messages(outside, limits),
        sync=sync,
        markers=_markers(outside),
        own=own,
        directory=Directory(outside.users),
        live=live,
        feed=LiveFeed(live, outside.rooms, outside.conversations, outside.sealer),
        presence_feed=PresenceFeed(
            live, outside.rooms, outside.records.contacts, outside.sealer
        ),
        presence=build_presence(outside, limits),
    )


def _markers(outside: Outside) -> ReadMarkers:
    return ReadMarkers(
        outside.bus, outside.conversations, outside.own.personal, outside.clock
    )
