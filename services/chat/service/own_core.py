"""The use cases on what is a user's own, over any adapters."""

from dataclasses import dataclass

from services.chat.service.bookmarks import Bookmarks
from services.chat.service.catchup import CatchUp
from services.chat.service.conversations import Conversations
from services.chat.service.drafts import Drafts
from services.chat.service.mutes import Mutes
from services.chat.service.outside import CoreLimits, Outside
from services.chat.service.own_feed import OwnFeed
from services.chat.service.own_live import OwnDelivery
from services.chat.service.own_messages import OwnMessages
from services.chat.service.own_stream import OwnStream
from services.chat.service.receipts import Receipts
from services.chat.service.sync import Sync


@dataclass(frozen=True)
class OwnCore:
    """What a user does for nobody but themselves, and how it is synchronised."""

    stream: OwnStream
    drafts: Drafts
    bookmarks: Bookmarks
    mutes: Mutes
    live: OwnDelivery
    feed: OwnFeed
    catchup: CatchUp
    receipts: Receipts
    messages: OwnMessages


def build_own(
    outside: Outside, limits: CoreLimits, conversations: Conversations, sync: Sync
) -> OwnCore:
    """Put the use cases together."""
    stores = outside.own
    bus, repository, clock = outside.bus, outside.conversations, outside.clock
    stream = OwnStream(stores.personal)
    live = OwnDelivery(
        outside.rooms, stores.personal, stream, clock=clock, limits=limits.live
    )
    return OwnCore(
        receipts=Receipts(repository, outside.messages, stores.personal),
        messages=OwnMessages(outside.records.eraser, outside.messages),
        stream=stream,
        drafts=Drafts(bus, repository, stores.drafts, clock),
        bookmarks=Bookmarks(
            bus, repository, outside.messages, stores.bookmarks, clock=clock
        ),
        mutes=Mutes(bus, repository, stores.personal, clock),
        live=live,
        feed=OwnFeed(live),
        catchup=CatchUp(
            conversations, repository, sync, stream=stream, mentions=stores.mentions
        ),
    )
