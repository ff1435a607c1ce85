"""Users and their presence."""

from datetime import timedelta
from functools import singledispatch

from libs.events import Context, Event, PermanentError, Retry
from libs.events.catalog import (
    PresenceChanged,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)
from libs.kernel import UserId
from services.notification.consumers.registration import (
    RETRY,
    inbound_of,
    origin_of,
    worker,
)
from services.notification.domain.delivery import Notice, NoticeKind
from services.notification.domain.people import Presence, Profile
from services.notification.service.inbound import Inbound


@worker.subscribe(
    UserCreated,
    UserVerified,
    UserUpdated,
    UserSuspended,
    UserDeleted,
    name="users",
    retry=RETRY,
)
async def on_user_event(event: Event, context: Context) -> None:
    """Project a user; a verified one is welcomed."""
    await _take(event, context, inbound_of(context))


@worker.subscribe(
    UserDeleted,
    name="erasures",
    in_transaction=False,
    deadline=timedelta(minutes=5),
    retry=RETRY,
)
async def on_user_deleted(event: UserDeleted, context: Context) -> None:
    """Erase what is kept of a person who is gone, and answer."""
    await inbound_of(context).erasure.erase(UserId(event.user_id))


@singledispatch
async def _take(event: Event, context: Context, inbound: Inbound) -> None:
    del context, inbound
    raise PermanentError(f"no handler for {event.event_type}")


@worker.subscribe(
    PresenceChanged, name="presence", retry=Retry(immediate=2, delays=("1s",))
)
async def on_presence_changed(event: PresenceChanged, context: Context) -> None:
    """Keep the newest presence."""
    await inbound_of(context).people.put_presence(
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
        origin=origin_of(context),
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
