"""The use cases of deleting accounts, put together, and what runs by itself."""

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from libs.chassis.tasks import TaskSupervisor
from services.auth.api import DeletionState
from services.auth.app.accounts import AccountParts
from services.auth.app.adapters import Adapters
from services.auth.app.administration import acts_of
from services.auth.service import (
    AccountDeletion,
    AccountEraser,
    AccountNotices,
    AdminGuard,
    DeletionCancel,
    ErasedParts,
    ErasureReport,
    SessionControl,
    StepUp,
)
from services.auth.settings import AuthSettings


def deletion_state(
    settings: AuthSettings,
    adapters: Adapters,
    accounts: AccountParts,
    control: SessionControl,
    step_up: StepUp,
) -> DeletionState:
    """Return the part of the state that is about deletion."""
    acts = acts_of(adapters, step_up)
    stores = adapters.stores
    return DeletionState(
        deletion=AccountDeletion(
            bus=adapters.bus,
            acts=acts,
            users=stores.users,
            admins=AdminGuard(stores.register),
            pending=stores.pending_sign_ins,
            links=accounts.links,
            control=control,
            step_up=step_up,
            notices=accounts.notices,
            cancelling=deletion_cancel(adapters, accounts.notices),
            invites=accounts.invite_ends(),
            audit=stores.audit,
            clock=adapters.clock,
            grace=timedelta(days=settings.deletion_grace_days),
        ),
        erasure_report=ErasureReport(acts.authority, stores.deletions.erasures),
        eraser=_eraser(adapters, control),
    )


def deletion_cancel(adapters: Adapters, notices: AccountNotices) -> DeletionCancel:
    """Return what calls a deletion off."""
    stores = adapters.stores
    return DeletionCancel(stores.users, notices, stores.audit, adapters.clock)


async def erase_in_background(
    settings: AuthSettings,
    adapters: Adapters,
    state: DeletionState,
    stack: AsyncExitStack,
) -> None:
    """Erase who is due until the stack closes."""
    tasks = await stack.enter_async_context(TaskSupervisor(adapters.clock))
    tasks.start("erasing", partial(state["eraser"].run, settings.erasing_seconds))


def _eraser(adapters: Adapters, control: SessionControl) -> AccountEraser:
    stores = adapters.stores
    return AccountEraser(
        bus=adapters.bus,
        users=stores.users,
        queue=stores.deletions.queue,
        erasures=stores.deletions.erasures,
        parts=ErasedParts(
            credentials=stores.credentials,
            second_factors=stores.second_factors,
            identities=stores.identities.links,
            links=stores.links,
            invites=stores.invites,
            pending=stores.pending_sign_ins,
            personal_tokens=stores.personal_tokens,
            preferences=stores.profiles.preferences,
            pictures=stores.profiles.pictures,
        ),
        control=control,
        audit=stores.audit,
        lease=adapters.erasing_lease,
        clock=adapters.clock,
    )
