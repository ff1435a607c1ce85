"""Events in: conversations and messages, people and presence, accounts.

Messages and conversations share one queue, so that they come nearly in order. What
overtakes is harmless: projections keep the newest by revision, and a message of a
conversation that is not known yet waits in a retry tier.
"""

from functools import singledispatch
from typing import NamedTuple

import msgspec

from libs.events import Context, Event, PermanentError, Retry, Worker
from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountResetRequested,
    AccountVerificationRequested,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationUpdated,
    MessageDeleted,
    MessageEdited,
    MessageSent,
    NotificationFailed,
    NotificationSent,
    PresenceChanged,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.events.tracing import current_cause
from libs.kernel import ConversationId, MessageId, UserId
from services.notification.domain.conversations import (
    ConversationKind,
    Excerpt,
    MembershipChange,
    SentMessage,
    excerpt_of,
)
from services.notification.domain.delivery import Notice, NoticeKind, Origin
from services.notification.domain.people import Presence, Profile
from services.notification.service.inbound import Inbound

_RETRY = Retry(immediate=2, delays=("1s", "10s", "1m", "10m"))

worker = Worker("notification", emits=[NotificationSent, NotificationFailed])


def _inbound_of(context: Context) -> Inbound:
    """Return what the worker was started with."""
    app: Inbound = context.app
    return app


def _origin_of(context: Context) -> Origin:
    """Return the event being handled, with its trace."""
    return Origin(context.event_id, context.correlation_id, current_cause().traceparent)


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
    retry=_RETRY,
)
async def on_conversation_event(event: Event, context: Context) -> None:
    """Project a conversation's event; a message also becomes notifications."""
    await _take(event, context, _inbound_of(context))


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
        SentMessage(excerpt, mentions), _origin_of(context), context.session
    )


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


@worker.subscribe(
    UserCreated,
    UserVerified,
    UserUpdated,
    UserSuspended,
    UserDeleted,
    name="users",
    retry=_RETRY,
)
async def on_user_event(event: Event, context: Context) -> None:
    """Project a user; a verified one is welcomed."""
    await _take(event, context, _inbound_of(context))


@worker.subscribe(
    PresenceChanged, name="presence", retry=Retry(immediate=2, delays=("1s",))
)
async def on_presence_changed(event: PresenceChanged, context: Context) -> None:
    """Keep the newest presence."""
    await _inbound_of(context).people.put_presence(
        UserId(event.user_id),
        Presence(event.status),
        event.changed_at,
        context.session,
    )


@_take.register
async def _(event: UserCreated, context: Context, inbound: Inbound) -> None:
    profile = Profile(
        UserId(event.user_id), event.revision, event.display_name, event.locale
    )
    await inbound.people.put_profile(profile, context.session)


@_take.register
async def _(event: UserVerified, context: Context, inbound: Inbound) -> None:
    user_id = UserId(event.user_id)
    email = inbound.open_account_field(event.email, "email", event, context)
    profile = Profile(user_id, event.revision, event.display_name, event.locale)
    await inbound.people.put_profile(profile, context.session)
    await inbound.people.put_email(user_id, email, context.occurred_at, context.session)
    welcome = Notice(NoticeKind.WELCOME, email, event.display_name, event.locale)
    await inbound.accounts.queue(
        {user_id: welcome},
        user_id=user_id,
        origin=_origin_of(context),
        session=context.session,
    )


@_take.register
async def _(event: UserUpdated, context: Context, inbound: Inbound) -> None:
    profile = Profile(
        UserId(event.user_id),
        event.revision,
        event.display_name,
        event.locale,
        handle=event.handle,
        time_zone=event.time_zone,
    )
    await inbound.people.put_profile(profile, context.session)


@_take.register
async def _(event: UserSuspended, context: Context, inbound: Inbound) -> None:
    await inbound.people.put_suspension(
        UserId(event.user_id),
        revision=event.revision,
        is_suspended=event.is_suspended,
        session=context.session,
    )


@_take.register
async def _(event: UserDeleted, context: Context, inbound: Inbound) -> None:
    await inbound.people.put_deletion(UserId(event.user_id), context.session)


class _Letter(NamedTuple):
    """A mail that an event causes: which, to which address, with a link or not."""

    kind: NoticeKind
    address_field: str = "email"
    is_linked: bool = False


_LETTERS: dict[type[Event], tuple[_Letter, ...]] = {
    AccountVerificationRequested: (_Letter(NoticeKind.VERIFICATION, is_linked=True),),
    AccountResetRequested: (_Letter(NoticeKind.RESET, is_linked=True),),
    AccountPasswordChanged: (_Letter(NoticeKind.PASSWORD_CHANGED),),
    AccountEmailChangeRequested: (
        _Letter(NoticeKind.EMAIL_CHANGE, "new_email", is_linked=True),
        _Letter(NoticeKind.EMAIL_CHANGE_NOTICE, "old_email"),
    ),
    AccountEmailChanged: (
        _Letter(NoticeKind.EMAIL_CHANGED, "new_email"),
        _Letter(NoticeKind.EMAIL_CHANGED, "old_email"),
    ),
    AccountMfaChanged: (_Letter(NoticeKind.MFA_CHANGED),),
    AccountInvited: (_Letter(NoticeKind.INVITATION, is_linked=True),),
}


@worker.subscribe(*_LETTERS, name="accounts", retry=_RETRY)
async def on_account_event(event: Event, context: Context) -> None:
    """Queue the mails that an account's event causes."""
    inbound = _inbound_of(context)
    user_id = None if isinstance(event, AccountInvited) else UserId(event.event_key)
    if isinstance(event, AccountEmailChanged):
        email = inbound.open_account_field(event.new_email, "new_email", event, context)
        await inbound.people.put_email(
            UserId(event.user_id), email, context.occurred_at, context.session
        )
    await inbound.accounts.queue(
        {
            f"{event.event_key}:{letter.address_field}": _notice(
                letter, event, context, inbound
            )
            for letter in _LETTERS[type(event)]
        },
        user_id=user_id,
        origin=_origin_of(context),
        session=context.session,
    )


def _notice(
    letter: _Letter, event: Event, context: Context, inbound: Inbound
) -> Notice:
    """Open what a mail says; the catalog gives these events their fields by name."""

    def opened(field: str) -> str:
        return inbound.open_account_field(getattr(event, field), field, event, context)

    name_field = "inviter_name" if isinstance(event, AccountInvited) else "display_name"
    return Notice(
        letter.kind,
        opened(letter.address_field),
        getattr(event, name_field),
        event.locale,  # type: ignore[attr-defined]  # as above
        token=opened("token") if letter.is_linked else None,
        valid_until=getattr(event, "expires_at", None) if letter.is_linked else None,
        change=event.change if isinstance(event, AccountMfaChanged) else None,
    )
