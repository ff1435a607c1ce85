"""The events of clients that are about messages, each to its use case."""

from libs.kernel import ConversationId, DocumentId, MessageId, UserId
from services.chat.domain.message import Draft
from services.chat.service.message_core import MessageCore
from services.chat.service.messages import Edit
from services.chat.service.threads import Thread
from services.chat.service.wire import Wire, message_event
from services.chat.sockets.client import Client
from services.chat.sockets.dispatch import Route
from services.chat.sockets.payloads import (
    DeleteMessage,
    EditMessage,
    FollowThread,
    ForwardMessage,
    PinMessage,
    React,
    ReadThread,
    SendMessage,
)


class MessageHandlers:
    """Handlers of what clients do with messages.

    Args:
        talk: The use cases.
    """

    def __init__(self, talk: MessageCore) -> None:
        self._talk = talk

    def routes(self) -> dict[str, Route]:
        """Return every event with its payload, handler and rate."""
        return {
            "message.send": Route(SendMessage, self.send, "messages"),
            "message.forward": Route(ForwardMessage, self.forward, "messages"),
            "message.edit": Route(EditMessage, self.edit),
            "message.delete": Route(DeleteMessage, self.delete),
            "message.react": Route(React, self.react),
            "message.pin": Route(PinMessage, self.pin),
            "thread.read": Route(ReadThread, self.read_thread),
            "thread.follow": Route(FollowThread, self.follow_thread),
        }

    async def send(self, client: Client, payload: SendMessage) -> Wire:
        """Append a message; answer it with its seq and revision."""
        draft = Draft(
            conversation_id=ConversationId(payload.conversation_id),
            sender_id=client.user_id,
            client_message_id=payload.client_message_id,
            text=payload.text,
            attachments=tuple(DocumentId(a) for a in payload.attachments),
            mentions=tuple(UserId(m) for m in payload.mentions),
            mention_kinds=tuple(dict.fromkeys(payload.mention_kinds)),
            reply_to_seq=payload.reply_to_seq,
            thread_seq=payload.thread_seq,
        )
        return message_event(await self._talk.messages.send(draft))

    async def forward(self, client: Client, payload: ForwardMessage) -> Wire:
        """Send a copy of a message; answer it with its seq and revision."""
        source = (
            ConversationId(payload.from_conversation_id),
            MessageId(payload.message_id),
        )
        message = await self._talk.forwarding.forward(
            client.user_id,
            ConversationId(payload.conversation_id),
            source,
            client_message_id=payload.client_message_id,
            thread_seq=payload.thread_seq,
        )
        return message_event(message)

    async def edit(self, client: Client, payload: EditMessage) -> Wire:
        """Change an own message."""
        edit = Edit(
            text=payload.text,
            mentions=tuple(UserId(m) for m in payload.mentions),
            mention_kinds=tuple(dict.fromkeys(payload.mention_kinds)),
        )
        message = await self._talk.messages.edit(
            client.user_id, *_message(payload), edit
        )
        return message_event(message)

    async def delete(self, client: Client, payload: DeleteMessage) -> Wire:
        """Turn a message into a tombstone."""
        await self._talk.messages.delete(client.user_id, *_message(payload))
        return {}

    async def react(self, client: Client, payload: React) -> Wire:
        """Add a reaction, or take it back."""
        message = await self._talk.reactions.react(
            client.user_id,
            *_message(payload),
            payload.emoji,
            is_added=payload.is_added,
        )
        return message_event(message)

    async def pin(self, client: Client, payload: PinMessage) -> Wire:
        """Pin a message, or take it off."""
        pins = self._talk.pins
        change = pins.pin if payload.is_pinned else pins.unpin
        return message_event(await change(client.user_id, *_message(payload)))

    async def read_thread(self, client: Client, payload: ReadThread) -> Wire:
        """Move the read marker of a thread."""
        place = (ConversationId(payload.conversation_id), payload.thread_seq)
        thread = await self._talk.threads.mark(client.user_id, *place, payload.seq)
        return _thread(thread)

    async def follow_thread(self, client: Client, payload: FollowThread) -> Wire:
        """Follow a thread, or stop."""
        thread = await self._talk.threads.follow(
            client.user_id,
            ConversationId(payload.conversation_id),
            payload.thread_seq,
            is_following=payload.is_following,
        )
        return _thread(thread)


def _message(
    payload: DeleteMessage | EditMessage | PinMessage | React,
) -> tuple[ConversationId, MessageId]:
    return ConversationId(payload.conversation_id), MessageId(payload.message_id)


def _thread(thread: Thread) -> Wire:
    return {
        "conversation_id": thread.root.conversation_id,
        "thread_seq": thread.root.seq,
        "is_following": thread.is_following,
        "read_seq": thread.read_seq,
        "unread": thread.unread,
    }
