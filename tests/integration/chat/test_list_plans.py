"""The queries behind a list of many conversations: whole plans of the real server."""

import pytest

from bench.chat.plans import SentQueries, examined, explain, stages_of
from libs.chassis.mongo import open_mongo
from libs.crypto import DataKeys, FileKeyWrapper, KeyRing
from libs.kernel import SystemClock, UserId, new_id
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Member,
    Role,
)
from services.chat.domain.message import MentionKind, Message
from services.chat.repository import (
    ConversationVault,
    MongoConversationRepository,
    SenderMarkers,
)
from services.chat.repository.memory import MemoryConversations, MemoryMentions
from services.chat.repository.mentions import MongoMentionCounter
from services.chat.repository.message_documents import message_document
from services.chat.service.conversations import Conversations

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
CONVERSATIONS, PAGE = 1_000, 200


def group(user_id: UserId) -> tuple[Conversation, Member]:
    """Return a group of one."""
    conversation = Conversation(
        conversation_id=new_id(),
        kind=ConversationKind.GROUP,
        title="Plans",
        project_id=None,
        created_by=None,
        created_at=CLOCK.now(),
    )
    member = Member(
        conversation_id=conversation.conversation_id,
        user_id=user_id,
        role=Role.OWNER,
        joined_at=conversation.created_at,
        revision=1,
    )
    return conversation, member


def message(conversation_id: str, sender: str, seq: int, **more) -> Message:
    """Return a message."""
    return Message(
        message_id=new_id(),
        conversation_id=conversation_id,
        client_message_id=new_id(),
        seq=seq,
        revision=seq + 1,
        sender_id=sender,
        sent_at=CLOCK.now(),
        text=f"text {seq}",
        **more,
    )


async def test_a_list_of_a_thousand_needs_no_sort_no_scan_and_two_reads_a_page(
    settings,
) -> None:
    """Each page is one range of one index, and its conversations by their ids."""
    sent = SentQueries()
    user_id = UserId(new_id())
    ring = KeyRing.from_file(settings.storage_keys_file)
    async with open_mongo(settings) as database:
        vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
        stored = MongoConversationRepository(database, vault, SenderMarkers(database))
        for _ in range(CONVERSATIONS):
            conversation, member = group(user_id)
            await stored.insert(conversation, [member], session=None)
        listed = Conversations(
            None,
            stored,
            **dict.fromkeys(
                ("writer", "announcements", "system", "recorder", "limits")
            ),
        )
        seen, before, pages = [], None, 0
        while pages == 0 or before is not None:
            with sent.listening() as queries:
                page, before = await listed.page(user_id, before=before, limit=PAGE)
            seen += [m.conversation.conversation_id for m in page]
            pages += 1
            assert [query["find"] for query in queries] == ["members", "conversations"]
            for query in list(queries):
                plan = await explain(database, query)
                stages = stages_of(plan)
                assert stages[-1].startswith("IXSCAN"), stages
                assert not {"SORT", "COLLSCAN"} & set(stages), stages
                assert max(examined(plan)) <= 2 * PAGE, stages
        with sent.listening() as queries:
            page, _ = await listed.page_by_activity(user_id, before=None, limit=PAGE)
        assert [m.conversation.conversation_id for m in page] == seen[:PAGE]
        assert len(queries) == 4
        for query in list(queries):
            stages = stages_of(await explain(database, query))
            assert stages[-1].startswith("IXSCAN"), stages
            assert not {"SORT", "COLLSCAN"} & set(stages), stages
        assert (len(set(seen)), pages) == (CONVERSATIONS, CONVERSATIONS // PAGE)


async def test_unread_mentions_are_counted_in_ranges_of_an_index(settings) -> None:
    """The same count as in memory; what is read, or one's own, is not looked at."""
    sent = SentQueries()
    ann, ben = UserId(new_id()), UserId(new_id())
    ring = KeyRing.from_file(settings.storage_keys_file)
    memory = MemoryConversations()
    async with open_mongo(settings) as database:
        vault = ConversationVault(DataKeys(FileKeyWrapper(ring)))
        stored = MongoConversationRepository(database, vault, SenderMarkers(database))
        read = {}
        for number in range(3):
            conversation, member = group(ann)
            await stored.insert(conversation, [member], session=None)
            place = conversation.conversation_id
            messages = [
                message(place, ben, 1, mentions=(ann,)),
                message(place, ben, 2),
                message(place, ben, 3, mentions=(ben,)),
                message(place, ann, 4, mention_kinds=(MentionKind.ALL,)),
                message(place, ben, 5, mention_kinds=(MentionKind.ALL,)),
                message(place, ben, 6, mentions=(ann,)),
                message(place, ben, 7, mention_kinds=(MentionKind.HERE,)),
            ]
            documents = [message_document(one, vault) for one in messages]
            await database["messages"].insert_many(documents)
            memory.messages |= {one.message_id: one for one in messages}
            read[place] = (0, 5, 7)[number]
        with sent.listening() as queries:
            found = await MongoMentionCounter(database).unread_mentions(ann, read)
        assert sorted(found.values()) == [1, 3]
        assert found == await MemoryMentions(memory).unread_mentions(ann, read)
        (query,) = queries
        plan = await explain(database, query)
        assert "COLLSCAN" not in str(plan.get("stages", plan))
        assert await MongoMentionCounter(database).unread_mentions(ann, {}) == {}
