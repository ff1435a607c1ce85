"""Mails about accounts."""

from datetime import datetime
from typing import NamedTuple

from libs.events import Context, Event
from libs.events.catalog import (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordGuessed,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountSessionReused,
    AccountVerificationRequested,
)
from libs.kernel import UserId
from services.notification.consumers.registration import (
    RETRY,
    inbound_of,
    origin_of,
    worker,
)
from services.notification.domain.delivery import ORDERED, Notice, NoticeKind
from services.notification.service.inbound import Inbound


class _Letter(NamedTuple):
    """A mail that an event causes: which, to which address, with a link or not."""

    kind: NoticeKind
    address_field: str = "email"
    is_linked: bool = False


_LETTERS: dict[type[Event], tuple[_Letter, ...]] = {
    AccountVerificationRequested: (_Letter(NoticeKind.VERIFICATION, is_linked=True),),
    AccountResetRequested: (_Letter(NoticeKind.RESET, is_linked=True),),
    AccountPasswordVoided: (_Letter(NoticeKind.PASSWORD_VOIDED, is_linked=True),),
    AccountPasswordChanged: (_Letter(NoticeKind.PASSWORD_CHANGED),),
    AccountPasswordGuessed: (_Letter(NoticeKind.PASSWORD_GUESSED),),
    AccountSessionReused: (_Letter(NoticeKind.SESSION_REUSED),),
    AccountEmailChangeRequested: (
        _Letter(NoticeKind.EMAIL_CHANGE, "new_email", is_linked=True),
    ),
    AccountEmailChanged: (
        _Letter(NoticeKind.EMAIL_CHANGED, "new_email"),
        _Letter(NoticeKind.EMAIL_CHANGED, "old_email"),
    ),
    AccountMfaChanged: (_Letter(NoticeKind.MFA_CHANGED),),
    AccountIdentityChanged: (_Letter(NoticeKind.IDENTITY_CHANGED),),
    AccountEmailStopOffered: (_Letter(NoticeKind.EMAIL_STOP, is_linked=True),),
    AccountDeletionRequested: (_Letter(NoticeKind.DELETION_REQUESTED),),
    AccountDeletionCancelled: (_Letter(NoticeKind.DELETION_CANCELLED),),
    AccountInvited: (_Letter(NoticeKind.INVITATION, is_linked=True),),
}


@worker.subscribe(*_LETTERS, name="accounts", retry=RETRY)
async def on_account_event(event: Event, context: Context) -> None:
    """Queue the mails that an account's event causes."""
    inbound = inbound_of(context)
    await _keep_new_address(event, context, inbound)
    await inbound.accounts.queue(
        _notices(event, context, inbound),
        user_id=_user_of(event),
        origin=origin_of(context),
        session=context.session,
    )


def _user_of(event: Event) -> UserId | None:
    return None if isinstance(event, AccountInvited) else UserId(event.event_key)


async def _keep_new_address(event: Event, context: Context, inbound: Inbound) -> None:
    if isinstance(event, AccountEmailChanged):
        email = inbound.open_account_field(event.new_email, "new_email", event, context)
        await inbound.people.put_email(
            UserId(event.user_id), email, context.occurred_at, context.session
        )


def _notices(event: Event, context: Context, inbound: Inbound) -> dict[str, Notice]:
    """Write the mails; one whose link leads nowhere is not sent.

    Auth seals an empty token where the new address is another account's: its owner is
    not bothered, and who asked cannot tell.
    """
    notices = {
        f"{event.event_key}:{letter.address_field}": _notice(
            letter, event, context, inbound
        )
        for letter in _LETTERS[type(event)]
    }
    return {key: notice for key, notice in notices.items() if notice.token != ""}


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
        valid_until=_end(letter, event),
        change=_change(event),
    )


def _end(letter: _Letter, event: Event) -> datetime | None:
    if isinstance(event, AccountDeletionRequested):
        return event.due_at
    return getattr(event, "expires_at", None) if letter.is_linked else None


def _change(event: Event) -> str | None:
    if isinstance(event, AccountDeletionRequested | AccountDeletionCancelled):
        return None if event.is_own else ORDERED
    return getattr(event, "change", None)
