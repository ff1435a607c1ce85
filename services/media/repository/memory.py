"""Documents, access and lease in dictionaries: for tests, with the same promises."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.kernel import Clock
from services.media.domain import (
    UNSHARED,
    Document,
    DocumentStatus,
    Membership,
    MembershipChange,
    Scope,
    ScopeChange,
    ScopeKind,
)
from services.media.ports import Leftover, Session


class MemoryDocumentRepository:
    """The `DocumentRepository` in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, Document] = {}

    async def insert(self, document: Document) -> None:
        """Store a new document."""
        self._rows[document.document_id] = document

    async def get(self, document_id: str) -> Document | None:
        """Return a document in any status, or None."""
        return self._rows.get(document_id)

    async def replace(
        self,
        document: Document,
        *,
        expected: DocumentStatus,
        session: Session | None = None,  # noqa: ARG002 - one dictionary, no transaction
    ) -> bool:
        """Compare-and-set on the status."""
        current = self._rows.get(document.document_id)
        if current is None or current.status is not expected:
            return False
        self._rows[document.document_id] = document
        return True

    async def remove(self, document_id: str, *, expected: DocumentStatus) -> bool:
        """Remove a row if its status still is the expected one."""
        current = self._rows.get(document_id)
        if current is None or current.status is not expected:
            return False
        del self._rows[document_id]
        return True

    async def mark_quarantine_cleared(self, document_id: str) -> None:
        """Note that nothing of it lies in quarantine any more."""
        current = self._rows.get(document_id)
        if current is not None:
            self._rows[document_id] = replace(current, is_quarantine_cleared=True)

    async def in_scope(
        self, scope: Scope, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return ready documents of a home, newest first."""
        found = [
            row
            for row in self._rows.values()
            if row.scope == scope
            and row.status is DocumentStatus.READY
            and (before_id is None or row.document_id < before_id)
        ]
        found.sort(key=lambda row: row.document_id, reverse=True)
        return found[:limit]

    async def of_owner(
        self, owner_id: str, *, before_id: str | None, limit: int
    ) -> list[Document]:
        """Return what somebody uploaded and is not deleted, newest first."""
        found = [
            row
            for row in self._rows.values()
            if row.owner_id == owner_id
            and row.status is not DocumentStatus.DELETED
            and (before_id is None or row.document_id < before_id)
        ]
        found.sort(key=lambda row: row.document_id, reverse=True)
        return found[:limit]

    async def living_in_scope(self, scope: Scope, *, limit: int) -> list[Document]:
        """Return documents of a home that are not deleted."""
        found = [
            row
            for row in self._rows.values()
            if row.scope == scope and row.status is not DocumentStatus.DELETED
        ]
        return found[:limit]

    async def private_to(self, owner_id: str, *, limit: int) -> list[Document]:
        """Return what nobody but its owner has of a person's documents."""
        found = [
            row
            for row in self._rows.values()
            if row.owner_id == owner_id
            and row.status is not DocumentStatus.DELETED
            and (row.scope.kind is ScopeKind.PRIVATE or row.status in UNSHARED)
        ]
        return found[:limit]

    async def uncleared(
        self, statuses: Collection[DocumentStatus], *, before: datetime, limit: int
    ) -> list[Leftover]:
        """Return documents that may have something in quarantine, oldest first."""
        found = [
            row
            for row in self._rows.values()
            if row.status in statuses
            and not row.is_quarantine_cleared
            and row.upload_expires_at < before
        ]
        found.sort(key=lambda row: row.upload_expires_at)
        return [Leftover(row.document_id, row.quarantine_key) for row in found[:limit]]


class MemoryAccessRepository:
    """The `AccessRepository` in dictionaries."""

    def __init__(self) -> None:
        self._members: dict[tuple[Scope, str], tuple[int, str | None]] = {}
        self._archived: dict[Scope, tuple[int, bool]] = {}
        self._deleted: set[Scope] = set()
        self._avatars: dict[str, tuple[int, str | None]] = {}
        self._suspensions: dict[str, tuple[int, bool]] = {}
        self._gone: set[str] = set()

    async def apply(
        self,
        members: Sequence[MembershipChange],
        scopes: Sequence[ScopeChange],
        *,
        session: Session | None = None,  # noqa: ARG002 - one dictionary, no transaction
    ) -> None:
        """Take changes over; older ones than the known are skipped."""
        for member in members:
            key = (member.scope, member.user_id)
            if member.revision > self._members.get(key, (0, None))[0]:
                self._members[key] = (member.revision, member.role)
        for scope in scopes:
            if scope.is_deleted:
                self._deleted.add(scope.scope)
            elif scope.revision > self._archived.get(scope.scope, (0, False))[0]:
                self._archived[scope.scope] = (scope.revision, scope.is_archived)

    async def put_avatar(
        self,
        user_id: str,
        document_id: str | None,
        revision: int,
        *,
        session: Session | None = None,  # noqa: ARG002 - one dictionary, no transaction
    ) -> None:
        """Take over which picture a user shows; an older revision is skipped."""
        if revision > self._avatars.get(user_id, (0, None))[0]:
            self._avatars[user_id] = (revision, document_id)

    async def is_avatar(self, user_id: str, document_id: str) -> bool:
        """Tell whether a user shows this document as their picture."""
        return self._avatars.get(user_id, (0, None))[1] == document_id

    async def put_suspension(
        self,
        user_id: str,
        revision: int,
        *,
        is_suspended: bool,
        session: Session | None = None,  # noqa: ARG002 - one dictionary, no transaction
    ) -> None:
        """Take over whether a person is kept out; an older revision is skipped."""
        if revision > self._suspensions.get(user_id, (0, False))[0]:
            self._suspensions[user_id] = (revision, is_suspended)

    async def put_deletion(self, user_id: str, revision: int) -> None:
        """Keep that a person is gone, and that they show no picture."""
        self._gone.add(user_id)
        await self.put_avatar(user_id, None, revision)

    async def is_barred(self, user_id: str) -> bool:
        """Tell whether a person is suspended or gone."""
        return user_id in self._gone or self._suspensions.get(user_id, (0, False))[1]

    async def membership(self, scope: Scope, user_id: str) -> Membership | None:
        """Return what somebody is in a home; None: nothing, or it is deleted."""
        _, role = self._members.get((scope, user_id), (0, None))
        if role is None or scope in self._deleted:
            return None
        return Membership(role, self._archived.get(scope, (0, False))[1])


class MemoryLease:
    """The `Lease` of one process's memory."""

    def __init__(self, *, holder: str, clock: Clock) -> None:
        self._holder = holder
        self._clock = clock
        self.leases: dict[str, tuple[str, datetime]] = {}

    async def acquire(self, name: str, *, duration: timedelta) -> bool:
        """Take or renew it; False while another holder has it."""
        now = self._clock.now()
        holder, expires_at = self.leases.get(name, (self._holder, now))
        if holder != self._holder and expires_at >= now:
            return False
        self.leases[name] = (self._holder, now + duration)
        return True
