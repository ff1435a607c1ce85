"""A conversation as lines of JSON, streamed in constant memory.

The first line is a header with counts, then come the members, those too that were, and
the messages in the order of seq, each as clients see them and followed by what it said
before its edits, the oldest first; the last line carries how many lines there were
and the SHA-256 of their bytes. Source: ADR 0020.
"""

import hashlib
from collections.abc import AsyncIterator

import msgspec

from libs.kernel import Clock, ConversationId
from services.chat.domain.conversation import Conversation
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.domain.message import Message, Version
from services.chat.ports import (
    ConversationRepository,
    MessageRepository,
    VersionRepository,
)
from services.chat.service.wire import (
    Wire,
    conversation_wire,
    member_wire,
    message_wire,
    version_wire,
)

FORMAT = 2
_PAGE = 500


class Export:
    """Reads one conversation from beginning to end; checks nobody's permission.

    Args:
        conversations: Conversations and members.
        messages: Stored messages.
        versions: What edited ones said before.
        clock: Gives the time in the header.
    """

    def __init__(
        self,
        conversations: ConversationRepository,
        messages: MessageRepository,
        versions: VersionRepository,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._versions = versions
        self._clock = clock

    async def lines(self, conversation_id: ConversationId) -> AsyncIterator[bytes]:
        """Yield the lines, each with its end.

        What is sent after the header was written is not in it; what is edited in
        between is there as it is when its page is read.

        Raises:
            ConversationNotFoundError: There is none.
            UnavailableError: Database or key service is out of reach.
        """
        digest, count = hashlib.sha256(), 0
        async for wire in self._content(conversation_id):
            line = msgspec.json.encode(wire) + b"\n"
            digest.update(line)
            count += 1
            yield line
        end = {"type": "end", "lines": count, "sha256": digest.hexdigest()}
        yield msgspec.json.encode(end) + b"\n"

    async def _content(self, conversation_id: ConversationId) -> AsyncIterator[Wire]:
        conversation = await self._conversations.get(conversation_id)
        if conversation is None:
            raise ConversationNotFoundError
        yield await self._header(conversation)
        async for wire in self._members_of(conversation_id):
            yield wire
        async for wire in self._messages_of(conversation):
            yield wire

    async def _header(self, conversation: Conversation) -> Wire:
        members = await self._conversations.count_members(conversation.conversation_id)
        return {
            "type": "conversation",
            "format": FORMAT,
            "exported_at": self._clock.now(),
            "members": members,
            "messages": conversation.last_seq - conversation.first_seq + 1,
            "conversation": conversation_wire(conversation),
        }

    async def _members_of(self, conversation_id: ConversationId) -> AsyncIterator[Wire]:
        after = ""
        while page := await self._conversations.members_page(
            conversation_id, after=after, limit=_PAGE, has_ended=True
        ):
            for member in page:
                yield {"type": "member", "member": member_wire(member)}
            after = page[-1].user_id

    async def _messages_of(self, conversation: Conversation) -> AsyncIterator[Wire]:
        after, has_more = conversation.first_seq - 1, True
        while has_more and after < conversation.last_seq:
            page = await self._messages.page(
                conversation.conversation_id, before=None, after=after, limit=_PAGE
            )
            for message in page.messages:
                if message.seq > conversation.last_seq:
                    return
                yield {"type": "message", "message": message_wire(message)}
                for version in await self._versions_of(message):
                    yield {"type": "version", "version": version_wire(message, version)}
                after = message.seq
            has_more = page.has_more

    async def _versions_of(self, message: Message) -> list[Version]:
        """Return what a message said before, the oldest first; as many as are kept."""
        found: list[Version] = []
        before, has_more = None, message.edit_count > 0
        while has_more:
            page = await self._versions.page(message, before=before, limit=_PAGE)
            found += page
            has_more = len(page) == _PAGE
            before = page[-1].number if page else None
        return found[::-1]
