"""The mail that leads to a new password, whoever asks for it."""

from libs.events import Transaction
from libs.events.catalog import AccountPasswordVoided, AccountResetRequested
from services.auth.domain import (
    LinkPurpose,
    User,
)
from services.auth.service.links import OneTimeLinks
from services.auth.service.notices import AccountNotices


async def send_reset_link(
    transaction: Transaction,
    links: OneTimeLinks,
    notices: AccountNotices,
    event_type: type[AccountResetRequested | AccountPasswordVoided],
    user: User,
) -> None:
    """Issue a link to a new password, and have it mailed to the user's address.

    Emits: what `event_type` says.
    """
    link = await links.issue(transaction, LinkPurpose.RESET, user.user_id)
    notices.tell(
        transaction,
        event_type,
        user,
        {"email": user.email.written, "token": link.token},
        expires_at=link.expires_at,
    )
