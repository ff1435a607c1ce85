"""Conversations and their messages.

They share one queue, so that they come nearly in order. What overtakes is harmless:
projections keep the newest by revision, and a message of a conversation that is not
known yet waits in a retry tier.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from itertools import groupby
from typing import Any

import msgspec

from libs.crypto.keyring import KeyUnknownError
from libs.events import Context, Event, PermanentError
from libs.events.bus import Batch, BatchItem
from libs.events.catalog import (
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationMuted,
    ConversationRead,
    ConversationUpdated,
    MessageDeleted,
    MessageEdited,
    MessageSent,
)
from libs.kernel import ConversationId, MessageId, UserId
from services.notification.consumers.registration import (
    RETRY,
    inbound_of,
    worker,
)
from services.notification.domain.conversations import (
    ConversationKind,
    Excerpt,
    MembershipChange,
    MuteChange,
    MuteLevel,
    ReadMark,
    SentMessage,
    excerpt_of,
)
from services.notification.domain.delivery import Origin
from services.notification.service.inbound import Inbound
from services.notification.service.intake import Arrival, ConversationUnknownError


class _Body(msgspec.Struct):
    """What this service reads of a message's body."""

    text: str = ""


@worker.subscribe_batch(
    MessageSent,
    MessageEdited,
    MessageDeleted,
    ConversationCreated,
    ConversationUpdated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationMuted,
    ConversationRead,
    name="conversations",
    max_size=100,
    prefetch=128,
    retry=RETRY,
)
async def on_conversation_events(batch: Batch[Event]) -> None:
    """Project conversations' events; messages also become notifications.

    In order; neighbours of one type that come often share their round trips.
    """
    inbound = inbound_of(batch.items[0].context)
    for event_class, run in groupby(batch.items, key=lambda item: type(item.event)):
        if event_class is MessageSent:
            await _take_messages(list(run), batch, inbound)
        elif event_class is ConversationRead:
            await _take_reads(list(run), batch, inbound)
        else:
            for item in run:
                with _failing_alone(item, batch):
                    await _take(item.event, item.context, inbound)


@contextmanager
def _failing_alone(item: BatchItem[Any], batch: Batch[Any]) -> Iterator[None]:
    """Let an event fail that cannot be opened: that comes before any write."""
    try:
        yield
    except (PermanentError, KeyUnknownError) as error:
        batch.fail(item, error)


async def _take_messages(
    items: Sequence[BatchItem[Any]], batch: Batch[Any], inbound: Inbound
) -> None:
    arrivals = []
    for item in items:
        with _failing_alone(item, batch):
            arrivals.append(_arrival(item.event, item.context, inbound))
    unknown = await inbound.intake.take_sent(arrivals, batch.session)
    for item in items:
        if item.context.event_id in unknown:
            conversation_id = ConversationId(item.event.conversation_id)
            batch.fail(item, ConversationUnknownError(conversation_id))


async def _take_reads(
    items: Sequence[BatchItem[Any]], batch: Batch[Any], inbound: Inbound
) -> None:
    marks = [
        ReadMark(
            ConversationId(item.event.conversation_id),
            UserId(item.event.user_id),
            item.event.read_seq,
        )
        for item in items
    ]
    await inbound.intake.take_reads(marks, batch.session)


def _arrival(event: MessageSent, context: Context, inbound: Inbound) -> Arrival:
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
    # The batch runs in no event's trace: each one brings its own.
    origin = Origin(context.event_id, context.correlation_id, context.traceparent)
    message = SentMessage(
        excerpt,
        mentions,
        mentions_all="all" in event.mention_kinds,
        mentions_here="here" in event.mention_kinds,
        is_system=event.kind == "system",
    )
    return Arrival(message, origin)


@singledispatch
async def _take(event: Event, context: Context, inbound: Inbound) -> None:
    del context, inbound
    raise PermanentError(f"no handler for {event.event_type}")


@_take.register
async def _(event: MessageEdited, context: Context, inbound: Inbound) -> None:
    body = inbound.open_message_field(event.content, "content", event, context)
    edit = Excerpt(
        message_id=MessageId(event.message_id),
        conversation_id=ConversationId(event.conversation_id),
        seq=event.seq,
        revision=event.revision,
        sender_id=UserId(event.edited_by),
        sent_at=event.edited_at,
        text=_text(body),
        is_early=True,
    )
    await inbound.intake.take_edited(edit, context.session)


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
    title = _title(event, context, inbound)
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
    title = _title(event, context, inbound)
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
async def _(event: ConversationMuted, context: Context, inbound: Inbound) -> None:
    change = MuteChange(
        ConversationId(event.conversation_id),
        UserId(event.user_id),
        event.user_revision,
        MuteLevel(event.level),
        event.until,
    )
    await inbound.conversations.put_mute(change, context.session)


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


def _title(
    event: ConversationCreated | ConversationUpdated, context: Context, inbound: Inbound
) -> str | None:
    if event.title is None:
        return None
    return inbound.open_message_field(event.title, "title", event, context)


def _text(body: str) -> str:
    """Return the beginning of a message from the JSON text of its body."""
    try:
        return excerpt_of(msgspec.json.decode(body, type=_Body).text)
    except msgspec.DecodeError:
        # Not chained: the decoder's message may quote the text.
        raise PermanentError("the message's body is not of the known form") from None
