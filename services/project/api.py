"""HTTP in: ``/api/v1/projects``."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Query, Request

from libs.chassis.audit import Refusals
from libs.chassis.exports import (
    ExportResponse,
    Record,
    export_response,
)
from libs.chassis.pagination import Limit, Page, cursor_id, encode_cursor
from libs.chassis.paths import id_or
from libs.chassis.security import CurrentPrincipal, FreshPrincipal
from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import ProjectId, UserId, is_id
from services.project.domain import (
    CollaboratorNotFoundError,
    Membership,
    ProjectNotFoundError,
    Role,
    UserNotFoundError,
)
from services.project.schemas import (
    AddCollaboratorRequest,
    ArchiveProjectRequest,
    ChangeRoleRequest,
    CollaboratorResponse,
    CreateProjectRequest,
    ProjectResponse,
    UpdateProjectRequest,
)
from services.project.service import CollaboratorService, ProjectService

router = APIRouter(prefix="/api/v1/projects", tags=["projects"])


export_router = APIRouter(prefix="/api/v1/me/export", tags=["exports"])
ROUTERS = (router, export_router)


class ProjectState(TypedDict):
    """What the lifespan yields; it becomes ``request.state``."""

    projects: ProjectService
    collaborators: CollaboratorService
    refusals: Refusals


def _projects(request: Request) -> ProjectService:
    found: ProjectService = request.state.projects
    return found


def _collaborators(request: Request) -> CollaboratorService:
    found: CollaboratorService = request.state.collaborators
    return found


ProjectsUse = Annotated[ProjectService, Depends(_projects)]
CollaboratorsUse = Annotated[CollaboratorService, Depends(_collaborators)]
ProjectPath = Annotated[ProjectId, id_or(ProjectNotFoundError)]
UserPath = Annotated[UserId, id_or(CollaboratorNotFoundError)]
Cursor = Annotated[str | None, Query(max_length=256)]


@router.post("", status_code=201)
async def create_project(
    body: CreateProjectRequest, principal: CurrentPrincipal, projects: ProjectsUse
) -> ProjectResponse:
    """Open a project; the caller owns it."""
    membership = await projects.create_project(
        UserId(principal.user_id), body.name, body.description
    )
    return ProjectResponse.of(membership)


@router.get("")
async def list_projects(
    principal: CurrentPrincipal,
    projects: ProjectsUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ProjectResponse]:
    """List the caller's projects, newest first."""
    before = cursor_id(cursor, "before")
    found = await projects.list_projects(
        UserId(principal.user_id),
        before=None if before is None else ProjectId(before),
        limit=limit + 1,
    )
    items = [ProjectResponse.of(membership) for membership in found[:limit]]
    has_more = len(found) > limit
    following = encode_cursor({"before": items[-1].project_id}) if has_more else None
    return Page(items=items, next_cursor=following)


@router.get("/{project_id}")
async def get_project(
    project_id: ProjectPath, principal: CurrentPrincipal, projects: ProjectsUse
) -> ProjectResponse:
    """Return one project."""
    membership = await projects.get_project(UserId(principal.user_id), project_id)
    return ProjectResponse.of(membership)


@router.patch("/{project_id}")
async def update_project(
    project_id: ProjectPath,
    body: UpdateProjectRequest,
    principal: CurrentPrincipal,
    projects: ProjectsUse,
) -> ProjectResponse:
    """Change name, description or both."""
    membership = await projects.update_project(
        UserId(principal.user_id),
        project_id,
        name=body.name,
        description=body.description,
    )
    return ProjectResponse.of(membership)


@router.delete("/{project_id}", status_code=204)
async def delete_project(
    project_id: ProjectPath, principal: CurrentPrincipal, projects: ProjectsUse
) -> None:
    """Erase a project; only its owners may."""
    await projects.delete_project(UserId(principal.user_id), project_id)


@router.post("/{project_id}/archive")
async def archive_project(
    project_id: ProjectPath,
    body: ArchiveProjectRequest,
    principal: CurrentPrincipal,
    projects: ProjectsUse,
) -> ProjectResponse:
    """Make a project read-only, or bring it back; idempotent."""
    membership = await projects.archive_project(
        UserId(principal.user_id), project_id, is_archived=body.is_archived
    )
    return ProjectResponse.of(membership)


@router.get("/{project_id}/collaborators")
async def list_collaborators(
    project_id: ProjectPath,
    principal: CurrentPrincipal,
    collaborators: CollaboratorsUse,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CollaboratorResponse]:
    """List a project's collaborators in the order of their ids."""
    after = cursor_id(cursor, "after")
    found = await collaborators.list_collaborators(
        UserId(principal.user_id),
        project_id,
        after=None if after is None else UserId(after),
        limit=limit + 1,
    )
    items = [CollaboratorResponse.of(place) for place in found[:limit]]
    has_more = len(found) > limit
    following = encode_cursor({"after": items[-1].user_id}) if has_more else None
    return Page(items=items, next_cursor=following)


@router.post("/{project_id}/collaborators", status_code=201)
async def add_collaborator(
    project_id: ProjectPath,
    body: AddCollaboratorRequest,
    principal: CurrentPrincipal,
    collaborators: CollaboratorsUse,
) -> CollaboratorResponse:
    """Bring an active user in."""
    if not is_id(body.user_id):
        raise UserNotFoundError
    added = await collaborators.add_collaborator(
        UserId(principal.user_id), project_id, UserId(body.user_id), Role(body.role)
    )
    return CollaboratorResponse.of(added)


@router.patch("/{project_id}/collaborators/{user_id}")
async def change_collaborator_role(
    project_id: ProjectPath,
    user_id: UserPath,
    body: ChangeRoleRequest,
    principal: CurrentPrincipal,
    collaborators: CollaboratorsUse,
) -> CollaboratorResponse:
    """Give a collaborator another role; idempotent."""
    changed = await collaborators.change_role(
        UserId(principal.user_id), project_id, user_id, Role(body.role)
    )
    return CollaboratorResponse.of(changed)


@router.delete("/{project_id}/collaborators/{user_id}", status_code=204)
async def remove_collaborator(
    project_id: ProjectPath,
    user_id: UserPath,
    principal: CurrentPrincipal,
    collaborators: CollaboratorsUse,
) -> None:
    """Remove a collaborator, or leave."""
    await collaborators.remove_collaborator(
        UserId(principal.user_id), project_id, user_id
    )


@export_router.get("/project", response_class=ExportResponse)
async def export_memberships(
    principal: FreshPrincipal, projects: ProjectsUse
) -> ExportResponse:
    """Give the caller's places in projects, as JSON lines."""
    user_id = UserId(principal.user_id)
    records = _memberships(user_id, projects)
    return export_response("project", user_id, records)


async def _memberships(
    user_id: UserId, projects: ProjectService
) -> AsyncIterator[Record]:
    async def page(before: str | None) -> list[Membership]:
        last = None if before is None else ProjectId(before)
        return await projects.list_projects(user_id, before=last, limit=WHOLE_LIST_PAGE)

    async for membership in paged(page, lambda one: one.project.project_id):
        shown = ProjectResponse.of(membership).model_dump(mode="json")
        yield "project", shown
