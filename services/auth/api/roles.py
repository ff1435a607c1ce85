"""Routes of the roles of the installation."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.auth.api.actor import CurrentActor
from services.auth.api.restriction import ADMINISTRATION
from services.auth.api.state import CustomRolesUse
from services.auth.schemas import (
    ReasonRequest,
    RoleRequest,
    RoleResponse,
    RolesResponse,
)

router = APIRouter(
    prefix="/api/v1/admin/roles",
    tags=["administration"],
    dependencies=[ADMINISTRATION],
)

NamePath = Annotated[str, Path(min_length=1, max_length=32)]


@router.get("")
async def list_roles(actor: CurrentActor, roles: CustomRolesUse) -> RolesResponse:
    """Return every role and what it allows; at most 104."""
    return RolesResponse.of(await roles.all(actor.user_id))


@router.put("/{name}")
async def put_role(
    name: NamePath, body: RoleRequest, actor: CurrentActor, roles: CustomRolesUse
) -> RoleResponse:
    """Create a custom role, or change what one allows from now on."""
    role = await roles.put(
        actor,
        name,
        description=body.description,
        permissions=body.permissions,
        reason=body.reason,
    )
    return RoleResponse.of(role)


@router.post("/{name}/delete", status_code=204)
async def delete_role(
    name: NamePath, body: ReasonRequest, actor: CurrentActor, roles: CustomRolesUse
) -> None:
    """Delete a custom role that nobody has."""
    await roles.remove(actor, name, body.reason)
