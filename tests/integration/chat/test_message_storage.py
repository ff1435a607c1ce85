"""What is kept of messages beside their stream: pins, versions, threads."""

from datetime import timedelta

import msgspec
import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import new_id
from services.chat.domain.attachment import Attachment, AttachmentStatus
from services.chat.domain.message import (
    Draft,
    MentionKind,
    MessageChange,
    MessageKind,
    Origin,
    Pin,
    Version,
)
from services.chat.domain.notice import Notice, NoticeType
from services.chat.domain.reactions import Reaction
from services.chat.domain.scheduled import Scheduled, ScheduledState
from services.chat.domain.thread import Follow, Touch
from services.chat.ports import DueAt, PinnedAt
from services.chat.repository import (
    ConversationVault,
    MongoAttachmentRepository,
    MongoConversationRepository,
    MongoMessageRepository,
    MongoPersonalRepository,
    MongoScheduledRepository,
    MongoThreadRepository,
    MongoVersionRepository,
    MongoWriterStore,
    SenderMarkers,
)
from services.chat.repository.memory import (
    MemoryAttachments,
    MemoryBookmarks,
    MemoryConversations,
    MemoryDrafts,
    MemoryMessages,
    MemoryPersonal,
    MemoryScheduled,
    MemoryThreads,
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

    def __init__(self, conversations, messages, writing, *more) -> None:
        self.conversations = conversations
        self.messages = messages
        self.writing = writing
        self.versions, self.threads, self.attachments, *more = more
        self.scheduled, self.personal = more

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
        yield MessageStorage(
            store,
            MemoryMessages(store),
            store,
            MemoryVersions(),
            MemoryThreads(store),
            MemoryAttachments(),
            MemoryScheduled(),
            MemoryPersonal(store, MemoryDrafts(store), MemoryBookmarks(store)),
        )
        return
    async with open_mongo(settings) as database:
        ring = KeyRing.from_file(settings.storage_keys_file)
        vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
        markers = SenderMarkers(database)
        yield MessageStorage(
            MongoConversationRepository(database, vault, markers),
            MongoMessageRepository(database, vault),
            MongoWriterStore(database, vault, markers),
            MongoVersionRepository(database, vault),
            MongoThreadRepository(database),
            MongoAttachmentRepository(database),
            MongoScheduledRepository(database, vault),
            MongoPersonalRepository(database, vault),
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


async def test_it_is_known_when_somebody_last_said_something(storage) -> None:
    """A later edit counts; another's words and those of the house do not."""
    ada, grace = new_id(), new_id()
    place_id, (first, second, third) = await storage.conversation(ada, grace)
    notice = Notice(type=NoticeType.MEMBER_JOINED)
    of_house = {"kind": MessageKind.SYSTEM, "notice": notice, "text": None}
    later = third.sent_at + timedelta(seconds=5)
    for changed in (
        msgspec.structs.replace(second, edited_at=later, revision=11),
        msgspec.structs.replace(third, sender_id=grace, revision=12, **of_house),
    ):
        await storage.messages.replace(changed, session=None)
    place = await storage.conversations.get(place_id)
    assert await storage.messages.last_said_at(place, ada, session=None) == later
    assert await storage.messages.last_said_at(place, grace, session=None) is None
    long_ago = msgspec.structs.replace(place, last_seq=first.seq + 2_002)
    assert await storage.messages.last_said_at(long_ago, ada, session=None) is None


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


async def test_answers_are_counted_where_they_belong(storage) -> None:
    """In the commit of the append: the root's count, and who follows."""
    ada, grace = new_id(), new_id()
    stored = group()
    people = [member(stored, ada), member(stored, grace)]
    await storage.conversations.insert(stored, people, session=None)
    place = stored.conversation_id
    sent = [
        message(stored, ada, 1),
        message(stored, ada, 2),
        *(message(stored, grace, seq, thread_seq=1) for seq in (3, 4)),
    ]
    touches = (
        Touch(
            conversation_id=place, thread_seq=1, user_id=grace, follows=True, read_seq=4
        ),
        Touch(conversation_id=place, thread_seq=1, user_id=ada),
    )
    plan = msgspec.structs.replace(append(stored, *sent), touches=touches)
    await storage.writing.append([plan], session=None)
    root = await storage.messages.get_by_seq(place, 1)
    assert (root.reply_count, root.last_reply_seq, root.revision) == (2, 4, 2)
    (listed,) = await storage.messages.threads(place, before=None, limit=5)
    assert listed == root
    assert await storage.messages.threads(place, before=4, limit=5) == []
    page = await storage.messages.page(
        place, before=None, after=3, limit=5, thread_seq=1
    )
    assert [m.seq for m in page.messages] == [4]
    follows = await storage.threads.of_user(place, ada, [1, 2])
    assert follows[1].is_following
    assert set(follows) == {1}
    assert (await storage.threads.of_user(place, grace, [1]))[1].read_seq == 4
    assert await storage.threads.unread(place, {1: 3, 2: 0}) == {1: 1, 2: 0}


async def test_follows_that_begin_take_revisions_of_their_users(storage) -> None:
    """One each, also of one user in two threads; a marker that moves takes none."""
    ada, grace = new_id(), new_id()
    place_id, _ = await storage.conversation(ada, grace, count=2)

    async def answer(seq: int, *touches: Touch) -> list[Follow]:
        place = await storage.conversations.get(place_id)
        sent = message(place, ada, seq, thread_seq=touches[0].thread_seq)
        plan = msgspec.structs.replace(append(place, sent), touches=touches)
        return await storage.writing.append([plan], session=None)

    def touch(thread_seq: int, user_id: str, **more) -> Touch:
        where = {"conversation_id": place_id, "thread_seq": thread_seq}
        return Touch(**where, user_id=user_id, **more)

    first = [touch(1, ada, follows=True, read_seq=3), touch(1, grace)]
    begun = await answer(3, *first, touch(2, ada, follows=True, read_seq=3))
    assert sorted((f.user_id, f.thread_seq, f.user_revision) for f in begun) == sorted(
        [(ada, 1, 2), (grace, 1, 2), (ada, 2, 3)]
    )
    assert await answer(4, touch(1, ada, follows=True, read_seq=4)) == []
    _, (_, one, two) = await storage.personal.changed(ada, since=0, limit=9)
    assert (one.thread_seq, one.read_seq, one.user_revision) == (1, 4, 2)
    assert (two.thread_seq, two.read_seq, two.user_revision) == (2, 3, 3)


async def test_a_follow_comes_back_as_stored(storage) -> None:
    """With its user's next revision; an answer leaves one that was stopped alone."""
    place, user = new_id(), new_id()
    where = {"conversation_id": place, "thread_seq": 1, "user_id": user}
    read = Follow(**where, is_following=False, is_undecided=True, read_seq=7)
    stored = await storage.threads.put(read, session=None)
    assert stored == msgspec.structs.replace(read, user_revision=1)
    assert await storage.threads.of_user(place, user, [1, 2]) == {1: stored}
    stopped = msgspec.structs.replace(stored, is_undecided=False)
    again = await storage.threads.put(stopped, session=None)
    assert (await storage.threads.of_user(place, user, [1]))[1] == again
    assert again.user_revision == 2
    assert await storage.personal.changed(user, since=1, limit=5) == (2, [again])


async def test_documents_come_back(storage) -> None:
    """The newest state of each; unknown ones are not there."""
    known = Attachment(document_id=new_id(), status=AttachmentStatus.UPLOADED)
    full = msgspec.structs.replace(
        known,
        owner_id=new_id(),
        conversation_id=new_id(),
        status=AttachmentStatus.READY,
        content_type="image/png",
    )
    for one in (known, full):
        await storage.attachments.put(one, session=None)
    ids = [known.document_id, new_id()]
    assert await storage.attachments.get_many(ids) == {known.document_id: full}


async def test_scheduled_messages_wait_and_are_claimed_once(storage) -> None:
    """By their time; a lease that ran out is taken over; what is sent stays."""
    ada = new_id()
    place, _ = await storage.conversation(ada)
    now = CLOCK.now() - timedelta(days=365)  # what others scheduled is not due yet
    made = []
    for hours in (2, 1):
        draft = Draft(
            conversation_id=place,
            sender_id=ada,
            client_message_id=new_id(),
            text=f"in {hours}",
            mention_kinds=(MentionKind.HERE,),
        )
        made.append(
            Scheduled(
                scheduled_id=draft.client_message_id,
                draft=draft,
                due_at=now + timedelta(hours=hours),
            )
        )
        await storage.scheduled.add(made[-1])
    late, early = made
    page = await storage.scheduled.page(ada, after=None, limit=1)
    assert page == [early]
    rest = await storage.scheduled.page(
        ada, after=DueAt(early.due_at, early.scheduled_id), limit=5
    )
    assert (rest, await storage.scheduled.count(ada)) == ([late], 2)
    lease = timedelta(minutes=1)
    assert await storage.scheduled.claim(now, lease) is None
    due = early.due_at
    claimed = await storage.scheduled.claim(due, lease)
    assert claimed.scheduled_id == early.scheduled_id
    assert claimed.draft == early.draft
    assert await storage.scheduled.claim(due, lease) is None
    assert not await storage.scheduled.remove(ada, early.scheduled_id)
    assert not await storage.scheduled.replace(early)
    assert await storage.scheduled.claim(due + lease, lease) == claimed
    failed = msgspec.structs.replace(
        claimed, state=ScheduledState.FAILED, code="not_permitted"
    )
    await storage.scheduled.settle(failed)
    assert await storage.scheduled.get(ada, early.scheduled_id) == failed
    assert await storage.scheduled.claim(due + 2 * lease, lease) is None
    assert await storage.scheduled.remove(ada, late.scheduled_id)
    await storage.scheduled.forget(failed)
    assert await storage.scheduled.count(ada) == 0
