"""What is kept of messages beside their stream: pins, versions, threads."""

from datetime import timedelta

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import new_id
from services.chat.domain.message import (
    MentionKind,
    MessageChange,
    MessageKind,
    Origin,
    Pin,
    Version,
)
from services.chat.domain.notice import Notice, NoticeType
from services.chat.domain.reactions import Reaction
from services.chat.ports import PinnedAt
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    MongoMessageRepository,
    MongoVersionRepository,
    MongoWriterStore,
)
from services.chat.repository.memory import (
    MemoryConversations,
    MemoryMessages,
    MemoryVersions,
)
from tests.integration.chat.test_repositories import (
    CLOCK,
    append,
    group,
    member,
    message,
)

pytestmark = pytest.mark.integration


class MessageStorage:
    """The adapters of messages of one backend."""

    def __init__(self, conversations, messages, writing, versions) -> None:
        self.conversations = conversations
        self.messages = messages
        self.writing = writing
        self.versions = versions

    async def conversation(self, *senders, count: int = 3):
        """Store a conversation with messages; return both."""
        stored = group()
        people = [member(stored, sender) for sender in senders]
        await self.conversations.insert(stored, people, session=None)
        sent = [message(stored, senders[0], seq) for seq in range(1, count + 1)]
        await self.writing.append([append(stored, *sent)], session=None)
        return stored.conversation_id, sent


@pytest.fixture(params=["memory", "mongo"])
async def storage(request, settings):
    """Each backend in turn."""
    if request.param == "memory":
        store = MemoryConversations()
        yield MessageStorage(store, MemoryMessages(store), store, MemoryVersions())
        return
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
        yield MessageStorage(
            MongoConversationRepository(database, vault),
            MongoMessageRepository(database, vault),
            MongoWriterStore(database, vault),
            MongoVersionRepository(database, vault),
        )


async def test_everything_of_a_message_comes_back(storage) -> None:
    """Whatever a message has, it has after it was stored."""
    sender = new_id()
    conversation_id, (first, *_) = await storage.conversation(sender)
    origin = Origin(
        conversation_id=new_id(),
        message_id=new_id(),
        sender_id=new_id(),
        sent_at=CLOCK.now(),
    )
    full = msgspec.structs.replace(
        first,
        revision=9,
        mention_kinds=(MentionKind.ALL,),
        thread_seq=1,
        forwarded_from=origin,
        reactions=(Reaction("👍", (sender,)),),
        pin=Pin(sender, CLOCK.now()),
        reply_count=2,
        last_reply_seq=3,
        edit_count=1,
        last_change=MessageChange.PINNED,
    )
    await storage.messages.replace(full, session=None)
    assert await storage.messages.get(conversation_id, full.message_id) == full
    assert await storage.messages.get_by_seq(conversation_id, 1) == full
    assert await storage.messages.get_by_seq(conversation_id, 7) is None
    sent_key = (conversation_id, sender, full.client_message_id)
    assert await storage.messages.find_sent(*sent_key) == full
    assert await storage.messages.find_sent(conversation_id, sender, new_id()) is None


async def test_a_notice_comes_back(storage) -> None:
    """A system message has a notice and no text."""
    sender = new_id()
    conversation_id, (*_, last) = await storage.conversation(sender)
    notice = Notice(type=NoticeType.TITLE_CHANGED, title="Plans")
    told = msgspec.structs.replace(
        last,
        message_id=new_id(),
        client_message_id=new_id(),
        seq=4,
        revision=5,
        text=None,
        kind=MessageKind.SYSTEM,
        notice=notice,
    )
    await storage.messages.insert(told, session=None)
    assert await storage.messages.get_by_seq(conversation_id, 4) == told


async def test_pins_are_paged_by_their_time(storage) -> None:
    """The last pinned first; ties go by id; hidden ones are not there."""
    sender = new_id()
    conversation_id, sent = await storage.conversation(sender, count=5)
    now = CLOCK.now()
    hours = {0: 1, 1: 3, 2: 1, 4: 2}
    for number, hour in hours.items():
        pin = Pin(sender, now + timedelta(hours=hour))
        pinned = msgspec.structs.replace(sent[number], pin=pin, revision=10 + number)
        await storage.messages.replace(pinned, session=None)
    assert await storage.messages.count_pinned(conversation_id) == 4
    tied = sorted((sent[0], sent[2]), key=lambda m: m.message_id, reverse=True)
    expected = [sent[1].seq, sent[4].seq, tied[0].seq, tied[1].seq]
    shown, before = [], None
    while page := await storage.messages.pinned(
        conversation_id, before=before, limit=1
    ):
        shown += [m.seq for m in page]
        before = PinnedAt(page[-1].pin.pinned_at, page[-1].message_id)
    assert shown == expected
    late = await storage.messages.pinned(
        conversation_id, before=None, limit=9, visible_from_seq=4
    )
    assert [m.seq for m in late] == [5]


async def test_versions_are_kept_paged_and_destroyed(storage) -> None:
    """The newest first, so many of them, none of another message's."""
    _, (first, other, _) = await storage.conversation(new_id())
    for number in range(1, 5):
        version = Version(number=number, text=f"v{number}", written_at=CLOCK.now())
        await storage.versions.add(
            first, version, expires_at=None, kept=3, session=None
        )
    lone = Version(number=1, text="other", written_at=CLOCK.now())
    later = CLOCK.now() + timedelta(days=1)
    await storage.versions.add(other, lone, expires_at=later, kept=3, session=None)
    found = await storage.versions.page(first, before=None, limit=2)
    assert [(v.number, v.text) for v in found] == [(4, "v4"), (3, "v3")]
    rest = await storage.versions.page(first, before=3, limit=5)
    assert [v.number for v in rest] == [2]
    await storage.versions.remove_all(first.message_id, session=None)
    assert await storage.versions.page(first, before=None, limit=2) == []
    assert len(await storage.versions.page(other, before=None, limit=2)) == 1
