"""What project emits, and what it learns of users."""

from libs.events import Context, Worker
from libs.events.catalog import (
    ErasureCompleted,
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    ProjectUpdated,
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserVerified,
)
from libs.kernel import UserId
from services.project.ports import UserDirectory
from services.project.service import CollaboratorService

worker = Worker(
    "project",
    emits=[
        ErasureCompleted,
        ProjectArchived,
        ProjectCollaboratorAdded,
        ProjectCollaboratorRemoved,
        ProjectCreated,
        ProjectDeleted,
        ProjectRoleChanged,
        ProjectUpdated,
    ],
)


@worker.subscribe(UserVerified, UserCreated, name="user-verified")
async def note_verified(event: UserVerified | UserCreated, context: Context) -> None:
    """Let a user be brought into projects from now on; a bot from the beginning."""
    if isinstance(event, UserCreated) and not event.is_bot:
        return
    await _users(context).verify(UserId(event.user_id), context.session)


@worker.subscribe(UserSuspended, name="user-suspended")
async def note_suspended(event: UserSuspended, context: Context) -> None:
    """Refuse a suspended user, or take one back; the newest revision counts."""
    await _users(context).suspend(
        UserId(event.user_id),
        event.revision,
        context.session,
        is_suspended=event.is_suspended,
    )


@worker.subscribe(UserDeleted, name="user-deleted")
async def erase_deleted(event: UserDeleted, context: Context) -> None:
    """Take a deleted user out of every project and report it."""
    collaborators: CollaboratorService = context.app
    erased = await collaborators.erase_user(context.transaction, UserId(event.user_id))
    context.publish(
        ErasureCompleted(user_id=event.user_id, service="project", erased_count=erased)
    )


def _users(context: Context) -> UserDirectory:
    collaborators: CollaboratorService = context.app
    return collaborators.users
