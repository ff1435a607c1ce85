"""Links that work once, and invitations, in MongoDB."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    Invite,
    LinkPurpose,
    OneTimeLink,
    Registration,
)
from services.auth.ports import DatabaseSession
from services.auth.repository.email_vault import EmailVault

Document = dict[str, Any]

_EXPIRY = IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0)


class MongoLinkRepository:
    """Collection ``tokens``: ``_id`` is the token's hash, gone when it expires."""

    INDEXES = (IndexModel([("subject_id", ASCENDING)], name="subject"), _EXPIRY)

    def __init__(self, database: AsyncDatabase[Document], vault: EmailVault) -> None:
        self._tokens = database["tokens"]
        self._vault = vault

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._tokens.create_indexes(list(self.INDEXES))

    async def add(self, link: OneTimeLink, session: DatabaseSession) -> None:
        """Store a link."""
        document: Document = {
            "_id": link.token_hash,
            "purpose": link.purpose.value,
            "subject_id": link.subject_id,
            "expires_at": link.expires_at,
        }
        if link.registration is not None:
            document["registration"] = {
                "display_name": link.registration.display_name,
                "locale": link.registration.locale,
                "password_hash": link.registration.password_hash,
            }
        if link.new_email is not None:
            document["new_email"] = self._vault.seal(
                link.new_email, "token", link.token_hash
            )
        with driver_errors(session):
            await self._tokens.insert_one(document, session=session)

    async def take(
        self, token_hash: str, purpose: LinkPurpose, session: DatabaseSession
    ) -> OneTimeLink | None:
        """Remove and return a link; one caller gets it."""
        with driver_errors(session):
            document = await self._tokens.find_one_and_delete(
                {"_id": token_hash, "purpose": purpose.value}, session=session
            )
        return self._link(document) if document else None

    async def get(self, token_hash: str, purpose: LinkPurpose) -> OneTimeLink | None:
        """Return a link that waits; see `LinkRepository.get`."""
        with driver_errors(None):
            document = await self._tokens.find_one(
                {"_id": token_hash, "purpose": purpose.value}
            )
        return self._link(document) if document else None

    async def remove_later(
        self,
        subject_id: str,
        purpose: LinkPurpose,
        expires_at: datetime,
        session: DatabaseSession,
    ) -> None:
        """Void later ones; see `LinkRepository.remove_later`."""
        query = {
            "subject_id": subject_id,
            "purpose": purpose.value,
            "expires_at": {"$gt": expires_at},
        }
        with driver_errors(session):
            await self._tokens.delete_many(query, session=session)

    async def remove_all(
        self,
        subject_id: str,
        session: DatabaseSession,
        *,
        kept: LinkPurpose | None = None,
    ) -> None:
        """Void every other link; see `LinkRepository.remove_all`."""
        query: Document = {"subject_id": subject_id}
        if kept is not None:
            query["purpose"] = {"$ne": kept.value}
        with driver_errors(session):
            await self._tokens.delete_many(query, session=session)

    def _link(self, document: Document) -> OneTimeLink:
        registration = document.get("registration")
        new_email = document.get("new_email")
        return OneTimeLink(
            token_hash=document["_id"],
            purpose=LinkPurpose(document["purpose"]),
            subject_id=document["subject_id"],
            expires_at=document["expires_at"],
            registration=Registration(**registration) if registration else None,
            new_email=self._vault.unseal(new_email, "token", document["_id"])
            if new_email
            else None,
        )


class MongoInviteRepository:
    """Collection ``invites``: ``_id`` is the invitation's id, the address is sealed."""

    INDEXES = (
        IndexModel([("inviter_id", ASCENDING), ("_id", ASCENDING)], name="inviter"),
        IndexModel([("email_index", ASCENDING)], name="email"),
        _EXPIRY,
    )

    def __init__(self, database: AsyncDatabase[Document], vault: EmailVault) -> None:
        self._invites = database["invites"]
        self._vault = vault

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._invites.create_indexes(list(self.INDEXES))

    async def add(self, invite: Invite, session: DatabaseSession) -> None:
        """Store an invitation."""
        document = {
            "_id": invite.invite_id,
            "email": self._vault.seal(invite.email, "invite", invite.invite_id),
            "email_index": self._vault.index_value(invite.email),
            "role": invite.role,
            "locale": invite.locale,
            "inviter_id": invite.inviter_id,
            "created_at": invite.created_at,
            "expires_at": invite.expires_at,
        }
        with driver_errors(session):
            await self._invites.insert_one(document, session=session)

    async def get(self, invite_id: str, session: DatabaseSession) -> Invite | None:
        """Return an invitation, also one that has expired."""
        with driver_errors(session):
            document = await self._invites.find_one({"_id": invite_id}, session=session)
        return self._invite(document) if document else None

    async def remove(self, invite_id: str, session: DatabaseSession) -> bool:
        """Remove an invitation; False if it was gone."""
        with driver_errors(session):
            result = await self._invites.delete_one({"_id": invite_id}, session=session)
        return result.deleted_count == 1

    async def remove_of(
        self, inviter_id: UserId, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations of somebody; return their ids."""
        return await self._remove({"inviter_id": inviter_id}, session)

    async def remove_to(
        self, email: EmailAddress, session: DatabaseSession
    ) -> Sequence[str]:
        """Remove all invitations to an address; return their ids."""
        return await self._remove(self._vault.condition(email), session)

    async def _remove(self, query: Document, session: DatabaseSession) -> Sequence[str]:
        with driver_errors(session):
            cursor = self._invites.find(query, {"_id": True}, session=session)
            ids = [str(document["_id"]) async for document in cursor]
            await self._invites.delete_many(query, session=session)
        return ids

    async def list_waiting(
        self, *, inviter_id: UserId | None, at: datetime, after: str | None, limit: int
    ) -> Sequence[Invite]:
        """Return invitations that have not expired, in the order of their ids."""
        query: Document = {"expires_at": {"$gt": at}}
        if inviter_id is not None:
            query["inviter_id"] = inviter_id
        if after is not None:
            query["_id"] = {"$gt": after}
        with driver_errors(None):
            cursor = self._invites.find(query).sort("_id", ASCENDING).limit(limit)
            return [self._invite(document) async for document in cursor]

    def _invite(self, document: Document) -> Invite:
        return Invite(
            invite_id=document["_id"],
            email=self._vault.unseal(document["email"], "invite", document["_id"]),
            role=document["role"],
            locale=document["locale"],
            inviter_id=UserId(document["inviter_id"]),
            created_at=document["created_at"],
            expires_at=document["expires_at"],
        )
