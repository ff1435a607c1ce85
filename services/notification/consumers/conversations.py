"""Messages and conversations: one queue, so that they come nearly in order.

What overtakes is harmless: projections keep the newest by revision, and a message
of a conversation that is not known yet waits in a retry tier.
"""

from functools import singledispatch

import msgspec

from libs.events import Context, Event, PermanentError, Retry
from libs.events.catalog import (
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationUpdated,
    MessageDeleted,
    MessageEdited,
    MessageSent,
)
from libs.kernel import ConversationId, MessageId, UserId
from services.notification.consumers.inbound import (
    Inbound,
    inbound_of,
    origin_of,
    worker,
)
from services.notification.domain.conversations import (
    ConversationKind,
    Excerpt,
    MembershipChange,
    SentMessage,
    excerpt_of,
)


class _Body(msgspec.Struct):
    """What this service reads of a message's body."""

    text: str = ""


@worker.subscribe(
    MessageSent,
    MessageEdited,
    MessageDeleted,
    ConversationCreated,
    ConversationUpdated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    name="conversations",
    retry=Retry(immediate=2, delays=("1s", "10s", "1m", "10m")),
)
async def on_conversation_event(event: Event, context: Context) -> None:
    """Project a conversation's event; a message also becomes notifications."""
    await _take(event, context, inbound_of(context))


@singledispatch
async def _take(event: Event, context: Context, inbound: Inbound) -> None:
    del context, inbound
    raise PermanentError(f"no handler for {event.event_type}")


@_take.register
async def _(event: MessageSent, context: Context, inbound: Inbound) -> None:
    body = inbound.open_message_field(event.content, "content", event, context)
    excerpt = Excerpt(
        message_id=MessageId(event.message_id),
        conversation_id=ConversationId(event.conversation_id),
        seq=event.seq,
        revision=event.revision,
        sender_id=UserId(event.sender_id),
        sent_at=event.sent_at,
        text=_text(body),
        has_attachments=bool(event.attachments),
    )
    mentions = frozenset(UserId(user_id) for user_id in event.mentions)
    await inbound.intake.take_sent(
        SentMessage(excerpt, mentions), origin_of(context), context.session
    )


@_take.register
async def _(event: MessageEdited, context: Context, inbound: Inbound) -> None:
    body = inbound.open_message_field(event.content, "content", event, context)
    await inbound.intake.take_edited(
        MessageId(event.message_id),
        revision=event.revision,
        text=_text(body),
        session=context.session,
    )


@_take.register
async def _(event: MessageDeleted, context: Context, inbound: Inbound) -> None:
    tombstone = Excerpt(
        message_id=MessageId(event.message_id),
        conversation_id=ConversationId(event.conversation_id),
        seq=event.seq,
        revision=event.revision,
        sender_id=UserId(event.deleted_by),
        sent_at=context.occurred_at,
        text="",
        is_deleted=True,
    )
    await inbound.intake.take_deleted(tombstone, context.session)


@_take.register
async def _(event: ConversationCreated, context: Context, inbound: Inbound) -> None:
    conversation_id = ConversationId(event.conversation_id)
    title = (
        inbound.open_message_field(event.title, "title", event, context)
        if event.title
        else None
    )
    await inbound.conversations.put_creation(
        conversation_id,
        ConversationKind(event.kind),
        revision=event.revision,
        title=title,
        session=context.session,
    )
    changes = [
        MembershipChange(conversation_id, UserId(user_id), event.revision, True)  # noqa: FBT003 - is_member
        for user_id, _ in event.members
    ]
    await inbound.conversations.put_memberships(changes, context.session)


@_take.register
async def _(event: ConversationUpdated, context: Context, inbound: Inbound) -> None:
    title = (
        inbound.open_message_field(event.title, "title", event, context)
        if event.title
        else None
    )
    await inbound.conversations.put_title(
        ConversationId(event.conversation_id),
        revision=event.revision,
        title=title,
        session=context.session,
    )


@_take.register
async def _(event: ConversationDeleted, context: Context, inbound: Inbound) -> None:
    await inbound.conversations.put_deletion(
        ConversationId(event.conversation_id), context.session
    )


@_take.register
async def _(event: ConversationMemberAdded, context: Context, inbound: Inbound) -> None:
    await _put_membership(event, context, inbound, is_member=True)


@_take.register
async def _(
    event: ConversationMemberRemoved, context: Context, inbound: Inbound
) -> None:
    await _put_membership(event, context, inbound, is_member=False)


@_take.register
async def _(event: ConversationRead, context: Context, inbound: Inbound) -> None:
    await inbound.intake.take_read(
        ConversationId(event.conversation_id),
        UserId(event.user_id),
        event.read_seq,
        context.session,
    )


async def _put_membership(
    event: ConversationMemberAdded | ConversationMemberRemoved,
    context: Context,
    inbound: Inbound,
    *,
    is_member: bool,
) -> None:
    change = MembershipChange(
        ConversationId(event.conversation_id),
        UserId(event.user_id),
        event.revision,
        is_member,
    )
    await inbound.conversations.put_memberships([change], context.session)


def _text(body: str) -> str:
    """Return the beginning of a message from the JSON text of its body."""
    try:
        return excerpt_of(msgspec.json.decode(body, type=_Body).text)
    except msgspec.DecodeError:
        # Not chained: the decoder's message may quote the text.
        raise PermanentError("the message's body is not of the known form") from None
