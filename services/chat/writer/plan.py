"""Turns a batch of drafts into numbered messages and their events."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.events.catalog.message import MessageSent
from libs.kernel import AppError, ConversationId
from services.chat.domain.conversation import Member
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    SlowModeError,
)
from services.chat.domain.message import Message, encode_body
from services.chat.domain.message_events import sent_event
from services.chat.domain.permissions import Action, require
from services.chat.domain.slow_mode import is_slowed, require_waited
from services.chat.domain.thread import Touch, touches_of
from services.chat.ports import Append, SentKey, TransportSealer, WriteState
from services.chat.writer.pending import Pending


class Plan(msgspec.Struct):
    """What one transaction writes, and who waits for it.

    Attributes:
        writes: Each message with its event and those who wait: more than one where
            a client repeated a message while the first was in the queue.
        appends: The same messages by conversation, with the expected counters.
    """

    writes: list[tuple[Message, MessageSent, list[Pending]]]
    appends: list[Append]

    @property
    def pending(self) -> list[Pending]:
        """Everybody who waits, in the order of arrival in each conversation."""
        return [pending for _, _, waiting in self.writes for pending in waiting]


def plan_batch(
    batch: Sequence[Pending],
    states: dict[ConversationId, WriteState],
    sealer: TransportSealer,
    now: datetime,
) -> Plan:
    """Number the messages of a batch; those that can never be stored fail alone.

    The states are not changed: `apply_plan` does it once the plan is committed.
    """
    plan = Plan([], [])
    by_conversation: dict[ConversationId, dict[SentKey, list[Pending]]] = {}
    for pending in batch:
        state = states.get(pending.draft.conversation_id)
        if _is_refused(pending, state, now):
            continue
        keys = by_conversation.setdefault(pending.draft.conversation_id, {})
        if pending.key not in keys and _is_too_soon(pending, states, keys):
            continue
        keys.setdefault(pending.key, []).append(pending)
    for conversation_id, keys in by_conversation.items():
        _number(plan, states[conversation_id], keys, sealer, now)
    return plan


def apply_plan(plan: Plan, states: dict[ConversationId, WriteState]) -> None:
    """Move the remembered counters to what a committed plan made them."""
    for append in plan.appends:
        state = states[append.conversation_id]
        state.last_seq += len(append.messages)
        state.revision += len(append.messages)
        if state.conversation.slow_mode_seconds:
            for message in append.messages:
                state.sent_at[message.sender_id] = message.sent_at


def refused_members(
    batch: Sequence[Pending], states: dict[ConversationId, WriteState], now: datetime
) -> list[Pending]:
    """Return what would be refused though its sender is a member.

    Slow mode, an archive, another role: what is stored already may be sent again
    all the same, and is answered with its first result.
    """
    refused = []
    for pending in batch:
        error = refusal(pending, states.get(pending.draft.conversation_id), now)
        if error is not None and not isinstance(error, ConversationNotFoundError):
            refused.append(pending)
    return refused


def refusal(
    pending: Pending, state: WriteState | None, now: datetime
) -> AppError | None:
    """Return why a message cannot be stored on a state, or None."""
    try:
        _check(pending, state, now)
    except AppError as error:
        return error
    return None


def _is_refused(pending: Pending, state: WriteState | None, now: datetime) -> bool:
    error = refusal(pending, state, now)
    if error is None:
        return pending.future.done()  # nobody waits any more
    pending.fail(error)
    return True


def _is_too_soon(
    pending: Pending,
    states: dict[ConversationId, WriteState],
    keys: dict[SentKey, list[Pending]],
) -> bool:
    """Refuse a sender's second message in one batch where slow mode holds."""
    conversation = states[pending.draft.conversation_id].conversation
    role = states[pending.draft.conversation_id].roles[pending.draft.sender_id]
    sender_id = pending.draft.sender_id
    if not is_slowed(conversation, role, Action.SEND):
        return False
    if all(sender_id != other_id for _, other_id, _ in keys):
        return False
    pending.fail(SlowModeError(float(conversation.slow_mode_seconds)))
    return True


def _check(pending: Pending, state: WriteState | None, now: datetime) -> None:
    draft = pending.draft
    role = state.roles.get(draft.sender_id) if state else None
    if state is None or role is None:
        raise ConversationNotFoundError
    member = Member(
        conversation_id=draft.conversation_id,
        user_id=draft.sender_id,
        role=role,
        joined_at=state.conversation.created_at,
        revision=0,
    )
    require(state.conversation, member, Action.SEND)
    sent_at = state.sent_at.get(draft.sender_id)
    require_waited(state.conversation, role, Action.SEND, sent_at, now)
    if draft.reply_to_seq is not None and draft.reply_to_seq > state.last_seq:
        raise DraftInvalidError("reply_not_found", "There is no message to reply to.")


def _number(
    plan: Plan,
    state: WriteState,
    keys: dict[SentKey, list[Pending]],
    sealer: TransportSealer,
    now: datetime,
) -> None:
    messages = []
    touches: list[Touch] = []
    for offset, waiting in enumerate(keys.values(), start=1):
        message = _message(waiting[0], state, offset, now)
        plan.writes.append((message, _event(message, waiting[0], sealer), waiting))
        messages.append(message)
        touches += touches_of(message, waiting[0].draft.thread_author_id)
    plan.appends.append(
        Append(
            conversation_id=state.conversation.conversation_id,
            expected_seq=state.last_seq,
            expected_revision=state.revision,
            expected_members_version=state.members_version,
            messages=tuple(messages),
            touches=tuple(touches),
        )
    )


def _message(
    pending: Pending, state: WriteState, offset: int, now: datetime
) -> Message:
    draft = pending.draft
    return Message(
        message_id=pending.message_id,
        conversation_id=draft.conversation_id,
        client_message_id=draft.client_message_id,
        seq=state.last_seq + offset,
        revision=state.revision + offset,
        sender_id=draft.sender_id,
        sent_at=now,
        text=draft.text,
        attachments=draft.attachments,
        mentions=draft.mentions,
        mention_kinds=draft.mention_kinds,
        reply_to_seq=draft.reply_to_seq,
        thread_seq=draft.thread_seq,
        forwarded_from=draft.forwarded_from,
    )


def _event(message: Message, pending: Pending, sealer: TransportSealer) -> MessageSent:
    context = (pending.event_id, MessageSent.event_type, "content")
    content = sealer.seal(
        encode_body(pending.draft.text), *context, message.conversation_id
    )
    return sent_event(message, content)
