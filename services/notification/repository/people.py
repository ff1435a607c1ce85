"""Users: profile, address, presence, preferences; one document each."""

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Any

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConversationId, UserId
from services.notification.domain.people import (
    Person,
    Preferences,
    Presence,
    Profile,
    QuietHours,
)
from services.notification.repository.guard import Database, if_newer
from services.notification.repository.vault import Vault

Session = Any  # pymongo's AsyncClientSession; opaque to the core


class MongoPeopleRepository:
    """See `PeopleRepository`; collection ``users``."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._users = database["users"]
        self._vault = vault

    async def get(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, Person]:
        """Return the known ones by id."""
        wanted = list(user_ids)
        if not wanted:
            return {}
        with map_mongo_errors():
            found = await self._users.find(
                {"_id": {"$in": wanted}}, session=session
            ).to_list()
        return {document["_id"]: self._person(document) for document in found}

    async def put_profile(self, profile: Profile, session: Session = None) -> None:
        """Keep a profile, unless a newer revision is known."""
        changes: dict[str, Any] = {
            "display_name": profile.display_name,
            "locale": profile.locale,
        }
        if profile.handle is not None:
            changes["handle"] = profile.handle
        if profile.time_zone is not None:
            changes["time_zone"] = profile.time_zone
        await self._put(
            profile.user_id, "profile_revision", profile.revision, changes, session
        )

    async def put_email(
        self, user_id: UserId, email: str, since: datetime, session: Session = None
    ) -> None:
        """Keep an address, unless one that became valid later is known."""
        changes = {"email": self._vault.seal(email, "users", user_id, "email")}
        await self._put(user_id, "email_since", since, changes, session)

    async def put_suspension(
        self,
        user_id: UserId,
        *,
        revision: int,
        is_suspended: bool,
        session: Session = None,
    ) -> None:
        """Keep a suspension, unless a newer revision of it is known."""
        changes = {"is_suspended": is_suspended}
        await self._put(user_id, "suspension_revision", revision, changes, session)

    async def put_deletion(self, user_id: UserId, session: Session = None) -> None:
        """Keep that the account is gone, and forget what was known of it."""
        await self._users.replace_one(
            {"_id": user_id}, {"is_deleted": True}, upsert=True, session=session
        )

    async def put_presence(
        self,
        user_id: UserId,
        presence: Presence,
        changed_at: datetime,
        session: Session = None,
    ) -> None:
        """Keep a presence, unless a newer one is known."""
        changes = {"presence": presence.value}
        await self._put(user_id, "presence_at", changed_at, changes, session)

    async def put_preferences(self, user_id: UserId, preferences: Preferences) -> None:
        """Replace what the user chose."""
        with map_mongo_errors():
            await self._users.update_one(
                {"_id": user_id},
                {"$set": {"preferences": _preferences_document(preferences)}},
                upsert=True,
            )

    async def _put(
        self,
        user_id: UserId,
        version_field: str,
        version: object,
        changes: Mapping[str, Any],
        session: Session,
    ) -> None:
        await self._users.update_one(
            {"_id": user_id},
            if_newer(version_field, version, changes, unless="is_deleted"),
            upsert=True,
            session=session,
        )

    def _person(self, document: Mapping[str, Any]) -> Person:
        user_id = UserId(document["_id"])
        return Person(
            user_id,
            display_name=document.get("display_name", ""),
            handle=document.get("handle"),
            locale=document.get("locale", "en"),
            time_zone=document.get("time_zone", "UTC"),
            email=self._vault.open(document.get("email"), "users", user_id, "email"),
            presence=Presence(document.get("presence", "offline")),
            preferences=_preferences(document.get("preferences")),
            is_suspended=document.get("is_suspended", False),
            is_deleted=document.get("is_deleted", False),
        )


def _preferences_document(preferences: Preferences) -> dict[str, Any]:
    hours = preferences.quiet_hours
    return {
        "push_enabled": preferences.push_enabled,
        "email_enabled": preferences.email_enabled,
        "include_content": preferences.include_content,
        "quiet_hours": (
            [hours.start.isoformat(), hours.end.isoformat()] if hours else None
        ),
        "muted_conversation_ids": sorted(preferences.muted_conversation_ids),
    }


def _preferences(document: Mapping[str, Any] | None) -> Preferences:
    if document is None:
        return Preferences()
    hours = document["quiet_hours"]
    return Preferences(
        push_enabled=document["push_enabled"],
        email_enabled=document["email_enabled"],
        include_content=document["include_content"],
        quiet_hours=(
            QuietHours(time.fromisoformat(hours[0]), time.fromisoformat(hours[1]))
            if hours
            else None
        ),
        muted_conversation_ids=frozenset(
            ConversationId(one) for one in document["muted_conversation_ids"]
        ),
    )
