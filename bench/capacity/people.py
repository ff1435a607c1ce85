"""Bytes of a user and of a file's row, by the services' own repositories."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from bench.capacity.disk import Disk, grown
from bench.events.servers import open_place
from deploy.embedded.layout import Stack
from libs.crypto import KeyRing
from libs.crypto.fields import FieldSealer
from libs.kernel import SessionId, UserId, new_id
from services.auth.domain import (
    AuthMethod,
    EmailAddress,
    Session,
    User,
    UserStatus,
)
from services.auth.repository import (
    EmailVault,
    MongoCredentialRepository,
    MongoDeletionQueue,
    MongoSessionRepository,
    MongoUserRegister,
    MongoUserRepository,
)
from services.media.domain import Document, DocumentStatus, private_scope
from services.media.repository import MongoDocumentRepository
from services.notification.domain.people import Profile
from services.notification.repository import MongoPeopleRepository, Vault
from services.notification.repository.indexes import create_indexes

SESSIONS = 2
"""Sign-ins that somebody has: a telephone and a browser."""
NOW = datetime(2026, 11, 30, tzinfo=UTC)
_HASH = "p1$" + "x" * 60
Database = AsyncDatabase[dict[str, Any]]


@asynccontextmanager
async def database_of(
    stack: Stack, service: str
) -> AsyncIterator[tuple[Database, Disk]]:
    """Make a database for one service's rows, gone afterwards."""
    async with (
        open_place(stack, service, f"bench-capacity-{service}") as place,
        AsyncMongoClient[dict[str, Any]](place.mongo_url, tz_aware=True) as client,
    ):
        yield client[place.database], Disk(client, place.database)


async def bytes_of_an_account(stack: Stack, count: int) -> dict[str, float]:
    """Return what auth stores of one user, by collection."""
    vault = EmailVault(KeyRing.generate())
    async with database_of(stack, "auth") as (database, disk):
        users = MongoUserRepository(database, vault)
        sessions = MongoSessionRepository(database)
        credentials = MongoCredentialRepository(database)
        await users.create_indexes()
        await sessions.create_indexes()
        await MongoUserRegister(database, users).create_indexes()
        await MongoDeletionQueue(database).create_indexes()
        before = await disk.taken()
        for number in range(count):
            user = user_of(number)
            await users.add(user, None)
            await credentials.put(user.user_id, _HASH, None)
            for _ in range(SESSIONS):
                await sessions.add(session_of(user.user_id), None)
        return grown(before, await disk.taken(), count)


def user_of(number: int) -> User:
    """Return an ordinary person."""
    return User(
        user_id=UserId(new_id()),
        revision=2,
        status=UserStatus.ACTIVE,
        email=EmailAddress.parse(f"firstname.lastname{number}@example.org"),
        display_name=f"Firstname Lastname {number}",
        locale="en",
        roles=("member",),
        created_at=NOW,
        updated_at=NOW,
        handle=f"firstname{number}",
        verified_at=NOW,
    )


def session_of(user_id: UserId) -> Session:
    """Return a sign-in that has been refreshed."""
    return Session(
        session_id=SessionId(new_id()),
        user_id=user_id,
        device_name="Browser on a desktop",
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + timedelta(days=3650),
        token_hash=secrets.token_hex(32),
        token_key_id="1",  # noqa: S106 - the id of a key
        parent_hash=secrets.token_hex(32),
        rotated_at=NOW,
        client_address="192.0.2.1",
        authenticated_at=NOW,
        methods=(AuthMethod.PASSWORD,),
    )


async def bytes_of_a_recipient(stack: Stack, count: int) -> dict[str, float]:
    """Return what notification stores of one user, by collection."""
    async with database_of(stack, "notification") as (database, disk):
        await create_indexes(database)
        people = MongoPeopleRepository(database, Vault(KeyRing.generate()))
        before = await disk.taken()
        for number in range(count):
            user = user_of(number)
            profile = Profile(
                user.user_id, 1, user.display_name, "en", user.handle, user.time_zone
            )
            await people.put_profile(profile)
            await people.put_email(user.user_id, user.email.written, NOW)
        return grown(before, await disk.taken(), count)


async def bytes_of_a_file(stack: Stack, count: int) -> dict[str, float]:
    """Return what media stores beside a file's own bytes, by collection."""
    async with database_of(stack, "media") as (database, disk):
        documents = MongoDocumentRepository(database, FieldSealer(KeyRing.generate()))
        await documents.ensure_indexes()
        before = await disk.taken()
        for _ in range(count):
            await documents.insert(document_of(new_id()))
        return grown(before, await disk.taken(), count)


def document_of(owner_id: str) -> Document:
    """Return a file that has been checked."""
    return Document(
        document_id=new_id(),
        owner_id=owner_id,
        scope=private_scope(owner_id),
        status=DocumentStatus.READY,
        file_name="minutes of a meeting.pdf",
        content_type="application/pdf",
        size_bytes=123_456,
        storage_key=base64.b32encode(secrets.token_bytes(20)).decode().lower(),
        created_at=NOW,
        upload_expires_at=NOW,
        completed_at=NOW,
        sha256=secrets.token_hex(32),
        is_quarantine_cleared=True,
    )
