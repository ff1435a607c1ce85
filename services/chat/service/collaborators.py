"""Who takes part in a project, as its channel ``general`` tells."""

from collections.abc import Iterable

import msgspec

from libs.kernel import ProjectId, UserId
from services.chat.domain.conversation import general_id
from services.chat.domain.errors import (
    ProjectIsArchivedError,
    ProjectNotFoundError,
    UserNotFoundError,
)
from services.chat.ports import ConversationRepository, Session


async def require_collaborators(
    repository: ConversationRepository,
    project_id: ProjectId,
    user_ids: Iterable[UserId],
    *,
    session: Session,
) -> None:
    """Check that users take part in a project, and hold it until the commit.

    Moving ``general``'s members_version makes a removal that runs at the same time
    wait for this transaction or end it, so that it finds every channel.

    Raises:
        ProjectNotFoundError: There is no such project (yet).
        ProjectIsArchivedError: It was archived or deleted.
        UserNotFoundError: Somebody takes no part in it.
        StaleConversationError: ``general`` has moved on.
    """
    general = await repository.get(general_id(project_id), session=session)
    if general is None:
        raise ProjectNotFoundError
    if general.is_archived:
        raise ProjectIsArchivedError
    wanted = set(user_ids)
    active = await repository.members_among(
        general.conversation_id, sorted(wanted), session=session
    )
    if wanted - active:
        raise UserNotFoundError
    held = msgspec.structs.replace(general, members_version=general.members_version + 1)
    await repository.replace(held, before=general, session=session)


async def require_project_open(
    repository: ConversationRepository, project_id: ProjectId, *, session: Session
) -> None:
    """Check that a project is not archived.

    Raises:
        ProjectIsArchivedError: It was archived or deleted.
    """
    general = await repository.get(general_id(project_id), session=session)
    if general is not None and general.is_archived:
        raise ProjectIsArchivedError
