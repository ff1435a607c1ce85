"""Mails that an account's owner must get: each event becomes one or two notices."""

from functools import singledispatch

from libs.events import Context, Event, PermanentError, Retry
from libs.events.catalog import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountResetRequested,
    AccountVerificationRequested,
)
from libs.kernel import UserId
from services.notification.consumers.inbound import (
    Inbound,
    inbound_of,
    origin_of,
    worker,
)
from services.notification.domain.delivery import Notice, NoticeKind

Notices = dict[str, Notice]


@worker.subscribe(
    AccountVerificationRequested,
    AccountResetRequested,
    AccountPasswordChanged,
    AccountEmailChangeRequested,
    AccountEmailChanged,
    AccountMfaChanged,
    AccountInvited,
    name="accounts",
    retry=Retry(immediate=2, delays=("1s", "10s", "1m", "10m")),
)
async def on_account_event(event: Event, context: Context) -> None:
    """Queue the mails of an account's event."""
    inbound = inbound_of(context)
    user_id = None if isinstance(event, AccountInvited) else UserId(event.event_key)
    if isinstance(event, AccountEmailChanged):
        await inbound.people.put_email(
            UserId(event.user_id),
            inbound.open_account_field(event.new_email, "new_email", event, context),
            context.occurred_at,
            context.session,
        )
    await inbound.accounts.queue(
        _notices(event, context, inbound),
        user_id=user_id,
        origin=origin_of(context),
        session=context.session,
    )


@singledispatch
def _notices(event: Event, context: Context, inbound: Inbound) -> Notices:
    del context, inbound
    raise PermanentError(f"no mail for {event.event_type}")


@_notices.register
def _(
    event: AccountVerificationRequested, context: Context, inbound: Inbound
) -> Notices:
    return _linked(NoticeKind.VERIFICATION, event, context, inbound)


@_notices.register
def _(event: AccountResetRequested, context: Context, inbound: Inbound) -> Notices:
    return _linked(NoticeKind.RESET, event, context, inbound)


@_notices.register
def _(event: AccountPasswordChanged, context: Context, inbound: Inbound) -> Notices:
    email = inbound.open_account_field(event.email, "email", event, context)
    notice = Notice(
        NoticeKind.PASSWORD_CHANGED, email, event.display_name, event.locale
    )
    return {event.user_id: notice}


@_notices.register
def _(
    event: AccountEmailChangeRequested, context: Context, inbound: Inbound
) -> Notices:
    old = inbound.open_account_field(event.old_email, "old_email", event, context)
    new = inbound.open_account_field(event.new_email, "new_email", event, context)
    name, locale = event.display_name, event.locale
    return {
        f"{event.user_id}:new": Notice(
            NoticeKind.EMAIL_CHANGE,
            new,
            name,
            locale,
            token=inbound.open_account_field(event.token, "token", event, context),
            valid_until=event.expires_at,
        ),
        f"{event.user_id}:old": Notice(
            NoticeKind.EMAIL_CHANGE_NOTICE, old, name, locale
        ),
    }


@_notices.register
def _(event: AccountEmailChanged, context: Context, inbound: Inbound) -> Notices:
    old = inbound.open_account_field(event.old_email, "old_email", event, context)
    new = inbound.open_account_field(event.new_email, "new_email", event, context)
    kind, name, locale = NoticeKind.EMAIL_CHANGED, event.display_name, event.locale
    return {
        f"{event.user_id}:new": Notice(kind, new, name, locale),
        f"{event.user_id}:old": Notice(kind, old, name, locale),
    }


@_notices.register
def _(event: AccountMfaChanged, context: Context, inbound: Inbound) -> Notices:
    email = inbound.open_account_field(event.email, "email", event, context)
    notice = Notice(
        NoticeKind.MFA_CHANGED,
        email,
        event.display_name,
        event.locale,
        change=event.change,
    )
    return {event.user_id: notice}


@_notices.register
def _(event: AccountInvited, context: Context, inbound: Inbound) -> Notices:
    notice = Notice(
        NoticeKind.INVITATION,
        inbound.open_account_field(event.email, "email", event, context),
        event.inviter_name,
        event.locale,
        token=inbound.open_account_field(event.token, "token", event, context),
        valid_until=event.expires_at,
    )
    return {event.invite_id: notice}


def _linked(
    kind: NoticeKind,
    event: AccountVerificationRequested | AccountResetRequested,
    context: Context,
    inbound: Inbound,
) -> Notices:
    notice = Notice(
        kind,
        inbound.open_account_field(event.email, "email", event, context),
        event.display_name,
        event.locale,
        token=inbound.open_account_field(event.token, "token", event, context),
        valid_until=event.expires_at,
    )
    return {event.user_id: notice}
