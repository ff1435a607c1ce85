"""Users and credentials in MongoDB."""

from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import driver_errors
from libs.kernel import UserId
from services.auth.domain import (
    EmailAddress,
    User,
    UserStatus,
    search_key,
)
from services.auth.domain.errors import (
    EmailTakenError,
    HandleTakenError,
    UserChangedError,
)
from services.auth.ports import DatabaseSession
from services.auth.repository.email_vault import EmailVault

Document = dict[str, Any]

_VISIBLE = [
    UserStatus.ACTIVE.value,
    UserStatus.SUSPENDED.value,
    UserStatus.DEACTIVATED.value,
]
_LAST_CHARACTER = "\U0010ffff"


class MongoUserRepository:
    """Collection ``users``: ``_id`` is the user id, the address is sealed."""

    INDEXES = (
        IndexModel([("email_index", ASCENDING)], name="email", unique=True),
        IndexModel(
            [("handle", ASCENDING)],
            name="handle",
            unique=True,
            partialFilterExpression={"handle": {"$type": "string"}},
        ),
        IndexModel([("search_keys", ASCENDING), ("_id", ASCENDING)], name="search"),
    )

    def __init__(self, database: AsyncDatabase[Document], vault: EmailVault) -> None:
        self._users = database["users"]
        self._vault = vault

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._users.create_indexes(list(self.INDEXES))

    async def add(self, user: User, session: DatabaseSession) -> None:
        """Store a new account; see `UserRepository.add`."""
        await self._check_address(user, session)
        with driver_errors(session):
            try:
                await self._users.insert_one(self._document(user), session=session)
            except DuplicateKeyError as error:
                raise _taken(error) from None

    async def update(self, user: User, session: DatabaseSession) -> None:
        """Replace the revision before; see `UserRepository.update`."""
        await self._check_address(user, session)
        before = {"_id": user.user_id, "revision": user.revision - 1}
        with driver_errors(session):
            try:
                result = await self._users.replace_one(
                    before, self._document(user), session=session
                )
            except DuplicateKeyError as error:
                raise _taken(error) from None
        if result.matched_count == 0:
            raise UserChangedError

    async def get(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account whatever its status."""
        return await self._find({"_id": user_id}, session)

    async def pin(self, user_id: UserId, session: DatabaseSession) -> User | None:
        """Return an account and hold it; see `UserRepository.pin`.

        The write makes the server see a conflict; its field is of no other use.
        """
        with driver_errors(session):
            document = await self._users.find_one_and_update(
                {"_id": user_id},
                {"$currentDate": {"pinned_at": True}},
                session=session,
            )
        return self.read(document) if document else None

    async def find_by_email(
        self, email: EmailAddress, session: DatabaseSession
    ) -> User | None:
        """Return the account of an address whatever its status."""
        return await self._find(self._vault.condition(email), session)

    async def find_by_handle(self, handle: str) -> User | None:
        """Return the active user with exactly this handle."""
        return await self._find(
            {"handle": handle, "status": UserStatus.ACTIVE.value}, session=None
        )

    async def search(
        self, key: str, *, after: str | None, limit: int
    ) -> Sequence[User]:
        """Return active users by prefix; see `UserRepository.search`.

        A range over an index, no regular expression: nothing to escape, and the
        cost is that of the page (NI-2).
        """
        query: Document = {
            "status": UserStatus.ACTIVE.value,
            "search_keys": begins_with(key),
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        return await self._list(query, limit)

    async def get_many(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Return the visible ones of these users."""
        query = {"_id": {"$in": list(user_ids)}, "status": {"$in": _VISIBLE}}
        return await self._list(query, len(user_ids))

    async def _check_address(self, user: User, session: DatabaseSession) -> None:
        if user.email.is_absent:
            return
        # The unique index holds values of one key alone; another account may have
        # the address under an older key of the ring.
        other = {"_id": {"$ne": user.user_id}, **self._vault.condition(user.email)}
        if await self._find(other, session) is not None:
            raise EmailTakenError

    async def _find(self, query: Document, session: DatabaseSession) -> User | None:
        with driver_errors(session):
            document = await self._users.find_one(query, session=session)
        return self.read(document) if document else None

    async def _list(self, query: Document, limit: int) -> Sequence[User]:
        with driver_errors(None):
            cursor = self._users.find(query).sort("_id", ASCENDING).limit(limit)
            return [self.read(document) async for document in cursor]

    def _document(self, user: User) -> Document:
        return {
            "_id": user.user_id,
            "revision": user.revision,
            "status": user.status.value,
            "display_name": user.display_name,
            "handle": user.handle,
            "search_keys": search_keys(user),
            "locale": user.locale,
            "time_zone": user.time_zone,
            "status_text": user.status_text,
            "avatar_document_id": user.avatar_document_id,
            "roles": list(user.roles),
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "verified_at": user.verified_at,
            "is_bot": user.is_bot,
            "owner_id": user.owner_id,
            "deletion_due_at": user.deletion_due_at,
            **self._vault.fields(user.user_id, user.email),
        }

    def read(self, document: Document) -> User:
        """Return the account of a document of this collection."""
        return User(
            user_id=UserId(document["_id"]),
            revision=document["revision"],
            status=UserStatus(document["status"]),
            email=self._vault.open(document),
            display_name=document["display_name"],
            locale=document["locale"],
            roles=tuple(document["roles"]),
            created_at=document["created_at"],
            updated_at=document["updated_at"],
            handle=document["handle"],
            time_zone=document["time_zone"],
            status_text=document["status_text"],
            avatar_document_id=document["avatar_document_id"],
            verified_at=document["verified_at"],
            # Accounts from before there were bots have neither.
            is_bot=document.get("is_bot", False),
            owner_id=document.get("owner_id"),
            deletion_due_at=document.get("deletion_due_at"),
        )


class MongoCredentialRepository:
    """Collection ``credentials``: ``_id`` is the user id."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._credentials = database["credentials"]

    async def get(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return the stored hash."""
        with driver_errors(session):
            document = await self._credentials.find_one(
                {"_id": user_id}, session=session
            )
        return document["password_hash"] if document else None

    async def pin(self, user_id: UserId, session: DatabaseSession) -> str | None:
        """Return the stored hash and hold it; see `CredentialRepository.pin`.

        The write makes the server see a conflict; its field is of no other use.
        """
        with driver_errors(session):
            document = await self._credentials.find_one_and_update(
                {"_id": user_id}, {"$currentDate": {"pinned_at": True}}, session=session
            )
        return document["password_hash"] if document else None

    async def put(
        self, user_id: UserId, password_hash: str, session: DatabaseSession
    ) -> None:
        """Store a hash in place of the one before."""
        with driver_errors(session):
            await self._credentials.replace_one(
                {"_id": user_id},
                {"password_hash": password_hash},
                upsert=True,
                session=session,
            )

    async def replace(self, user_id: UserId, old: str, new: str) -> None:
        """Store a hash if the one before is still `old`."""
        with driver_errors(None):
            await self._credentials.update_one(
                {"_id": user_id, "password_hash": old},
                {"$set": {"password_hash": new}},
            )

    async def void(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Forget a hash alone; see `CredentialRepository.void`."""
        with driver_errors(session):
            result = await self._credentials.update_one(
                {"_id": user_id}, {"$set": {"password_hash": None}}, session=session
            )
        return result.matched_count == 1

    async def is_kept(self, user_id: UserId, session: DatabaseSession) -> bool:
        """Tell whether there is a password, void or not."""
        with driver_errors(session):
            found = await self._credentials.find_one({"_id": user_id}, session=session)
        return found is not None

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a hash."""
        with driver_errors(session):
            await self._credentials.delete_one({"_id": user_id}, session=session)


def _taken(error: DuplicateKeyError) -> EmailTakenError | HandleTakenError:
    is_email = "email_index" in ((error.details or {}).get("keyPattern") or {})
    return EmailTakenError() if is_email else HandleTakenError()


def begins_with(key: str) -> Document:
    """Return the condition on ``search_keys`` that one of them begins so."""
    return {"$elemMatch": {"$gte": key, "$lt": key + _LAST_CHARACTER}}


def search_keys(user: User) -> list[str]:
    """Return what a user is found by: the handle, the name from each word on."""
    words = search_key(user.display_name).split()
    tails = [" ".join(words[start:]) for start in range(len(words))]
    return sorted({*tails, *([user.handle] if user.handle else [])})
