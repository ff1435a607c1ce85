"""What stays of a message that retention forgot: enough to answer it again."""

from services.chat.domain.message import Message, MessageChange, MessageKind


def leaves_stub(message: Message) -> bool:
    """Tell whether a client may send it again; what the house tells nobody sent."""
    return message.kind is MessageKind.TEXT


def stub_of(message: Message) -> Message:
    """Return a forgotten message as who sent it sees it: deleted, in its old place."""
    return Message(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_message_id=message.client_message_id,
        seq=message.seq,
        revision=message.revision,
        sender_id=message.sender_id,
        sent_at=message.sent_at,
        text=None,
        is_deleted=True,
        last_change=MessageChange.DELETED,
    )
