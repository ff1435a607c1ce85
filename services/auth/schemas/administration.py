"""Bodies of the administration of people and roles."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from libs.chassis.audit import AuditRecord
from libs.kernel import SessionId, UserId
from services.auth.domain import (
    CUSTOM_ROLES_MAX,
    PERMISSIONS,
    REASON_CODE_POINTS_MAX,
    ROLES_PER_USER_MAX,
    CustomRole,
    Permission,
    Role,
    SecondFactorPolicy,
    Session,
    User,
)
from services.auth.schemas.base import RequestModel, ResponseModel
from services.auth.schemas.fields import Email

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=REASON_CODE_POINTS_MAX)
]
_POLICY_ROLES_MAX = len(Role) + CUSTOM_ROLES_MAX
RoleName = Annotated[str, StringConstraints(min_length=1, max_length=32)]


class ReasonRequest(RequestModel):
    """Why it is done; kept in the audit."""

    reason: Reason


class RolesRequest(ReasonRequest):
    """The roles that the account is to have: a base role and custom ones."""

    roles: Annotated[list[RoleName], Field(min_length=1, max_length=ROLES_PER_USER_MAX)]


class EndSessionsRequest(ReasonRequest):
    """Which session to end; all of them if it is left out."""

    session_id: Annotated[str, StringConstraints(min_length=36, max_length=36)] = ""


class EmailLookupRequest(RequestModel):
    """The address to look for; in a body, so that no log sees it."""

    email: Email


class RoleRequest(ReasonRequest):
    """What a custom role allows."""

    description: Annotated[str, StringConstraints(max_length=140)] = ""
    permissions: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=32)]],
        Field(min_length=1, max_length=len(Permission)),
    ]


class SecondFactorPolicyRequest(ReasonRequest):
    """The roles whose holders must have a second factor."""

    roles: Annotated[list[RoleName], Field(max_length=_POLICY_ROLES_MAX)] = Field(
        description="Base and custom roles; * for everyone, nothing for nobody."
    )


class SecondFactorPolicyResponse(ResponseModel):
    """Who must have a second factor."""

    roles: list[str]
    changed_at: datetime | None = Field(
        description="Null while the setting of the installation counts."
    )

    @classmethod
    def of(cls, policy: SecondFactorPolicy) -> "SecondFactorPolicyResponse":
        """Return an administrator's view."""
        return cls(roles=sorted(policy.roles), changed_at=policy.changed_at)


class ListedUserResponse(ResponseModel):
    """An account in a list; without its address."""

    user_id: UserId
    status: str
    display_name: str
    handle: str | None
    roles: list[str]
    is_bot: bool
    owner_id: UserId | None = Field(description="Who made the bot; none for people.")
    created_at: datetime
    updated_at: datetime
    deletion_due_at: datetime | None

    @classmethod
    def of(cls, user: User) -> "ListedUserResponse":
        """Return an administrator's view of a user."""
        return cls(
            user_id=user.user_id,
            status=user.status.value,
            display_name=user.display_name,
            handle=user.handle,
            roles=list(user.roles),
            is_bot=user.is_bot,
            owner_id=user.owner_id,
            created_at=user.created_at,
            updated_at=user.updated_at,
            deletion_due_at=user.deletion_due_at,
        )


class AccountResponse(ListedUserResponse):
    """One account with its address."""

    email: str | None
    locale: str
    time_zone: str
    status_text: str
    avatar_document_id: str | None
    verified_at: datetime | None
    revision: int

    @classmethod
    def of(cls, user: User) -> "AccountResponse":
        """Return an administrator's full view of a user."""
        listed = ListedUserResponse.of(user).model_dump()
        return cls(
            **listed,
            email=user.email.written or None,
            locale=user.locale,
            time_zone=user.time_zone,
            status_text=user.status_text,
            avatar_document_id=user.avatar_document_id,
            verified_at=user.verified_at,
            revision=user.revision,
        )


class OthersSessionResponse(ResponseModel):
    """A live session as administrators see it."""

    session_id: SessionId
    device_name: str
    client_address: str
    methods: list[str]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> "OthersSessionResponse":
        """Return an administrator's view of a session."""
        return cls(
            session_id=session.session_id,
            device_name=session.device_name,
            client_address=session.client_address,
            methods=[method.value for method in session.methods],
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
        )


class EndedSessionsResponse(ResponseModel):
    """How many sessions ended."""

    ended_count: int


class AuditRecordResponse(ResponseModel):
    """What was done, by whom, to whom and why."""

    record_id: str
    at: datetime
    action: str
    actor_id: str
    target_id: str
    on_behalf_of: str
    source: str
    result: str
    reason: str
    details: dict[str, str | int | bool]

    @classmethod
    def of(cls, record: AuditRecord) -> "AuditRecordResponse":
        """Return a record as it is shown."""
        entry = record.entry
        return cls(
            record_id=record.record_id,
            at=record.at,
            action=entry.action,
            actor_id=entry.actor_id,
            target_id=entry.target_id,
            on_behalf_of=entry.on_behalf_of,
            source=entry.source,
            result=entry.result.value,
            reason=entry.reason,
            details=dict(entry.details),
        )


class RoleResponse(ResponseModel):
    """A role and what it allows."""

    name: str
    kind: Literal["base", "custom"]
    description: str
    permissions: list[str]

    @classmethod
    def of(cls, role: CustomRole) -> "RoleResponse":
        """Return a custom role as it is shown."""
        return cls(
            name=role.name,
            kind="custom",
            description=role.description,
            permissions=sorted(role.permissions),
        )


class RolesResponse(ResponseModel):
    """Every role: the four of the house, then the custom ones by name."""

    roles: list[RoleResponse]

    @classmethod
    def of(cls, custom: Sequence[CustomRole]) -> "RolesResponse":
        """Return the table with the custom roles behind."""
        base = [
            RoleResponse(
                name=role.value,
                kind="base",
                description="",
                permissions=sorted(PERMISSIONS[role]),
            )
            for role in Role
        ]
        return cls(roles=base + [RoleResponse.of(role) for role in custom])
