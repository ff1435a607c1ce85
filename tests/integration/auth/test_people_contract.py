"""One contract for the register of people, custom roles and the audit's reader."""

from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from libs.chassis.audit import AuditEntry, AuditResult, MemoryAuditTrail
from libs.chassis.audit.mongo import MongoAuditTrail
from libs.chassis.audit.reading import MongoAuditReader
from libs.chassis.audit.rights import audit_database_of, prepare_audit
from libs.crypto import KeyRing
from libs.kernel import new_id
from services.auth.domain import (
    CustomRole,
    EmailAddress,
    Permission,
    User,
    UserFilter,
    UserStatus,
)
from services.auth.repository import (
    EmailVault,
    MemoryRoleRepository,
    MemoryUserRegister,
    MemoryUserRepository,
    MongoRoleRepository,
    MongoUserRegister,
    MongoUserRepository,
)

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Store:
    """What one backend keeps."""

    users: Any
    register: Any
    roles: Any
    trail: Any
    reader: Any


@asynccontextmanager
async def _mongo(stack):
    path = stack.service_environment("auth")["AUTH_STORAGE_KEYS_FILE"]
    vault = EmailVault(KeyRing.from_file(Path(path)))
    async with AsyncMongoClient(stack.admin_mongo_url, tz_aware=True) as client:
        database = client[f"test_auth_{new_id()[-12:]}"]
        users = MongoUserRepository(database, vault)
        register = MongoUserRegister(database, users)
        audit = client[audit_database_of(database.name)]
        await prepare_audit(audit)
        for kept in (users, register, register):
            await kept.create_indexes()
        try:
            yield Store(
                users,
                register,
                MongoRoleRepository(database),
                MongoAuditTrail(database, "auth"),
                MongoAuditReader(database),
            )
        finally:
            await audit.command("dropAllRolesFromDatabase")
            await client.drop_database(audit.name)
            await client.drop_database(database.name)


@pytest.fixture(params=["memory", "mongo"])
async def store(request, stack):
    """The repositories, empty."""
    users, audit = MemoryUserRepository(), MemoryAuditTrail()
    memory = Store(
        users, MemoryUserRegister(users), MemoryRoleRepository(), audit, audit
    )
    backend = _mongo(stack) if request.param == "mongo" else nullcontext(memory)
    async with backend as opened:
        yield opened


async def _add(store, name, *roles, **fields):
    user = User(
        user_id=new_id(),
        revision=1,
        status=fields.pop("status", UserStatus.ACTIVE),
        email=EmailAddress.parse(f"{new_id()}@example.test"),
        display_name=name,
        locale="en",
        roles=roles or ("member",),
        created_at=NOW,
        updated_at=NOW,
        **fields,
    )
    await store.users.add(user, None)
    return user


async def test_register_finds_by_all_criteria_together(store):
    """Name, handle, status and role narrow each other; pages follow the ids."""
    ann = await _add(store, "Ann Lee", "admin", handle="lee")
    bob = await _add(store, "Bob Leeds", status=UserStatus.SUSPENDED)
    cat = await _add(store, "Cat", "member", "support", status=UserStatus.PENDING)

    async def find(after=None, limit=10, **wanted):
        found = await store.register.find(
            UserFilter(**wanted), after=after, limit=limit
        )
        return [user.user_id for user in found]

    everyone = [ann.user_id, bob.user_id, cat.user_id]
    assert await find() == everyone
    assert await find(limit=2) == everyone[:2]
    assert await find(after=bob.user_id) == [cat.user_id]
    assert await find(name_key="lee") == everyone[:2]
    assert await find(name_key="lee", status="suspended") == [bob.user_id]
    assert await find(handle="lee", role="admin") == [ann.user_id]
    assert await find(handle="lee", role="member") == []
    assert await find(role="support") == [cat.user_id]


async def test_only_another_active_admin_counts(store):
    """Suspended admins and the user in question do not."""
    ann = await _add(store, "Ann", "admin")
    await _add(store, "Bob", "admin", status=UserStatus.SUSPENDED)
    assert not await store.register.has_other_admin(ann.user_id, None)
    assert await store.register.has_other_admin(new_id(), None)
    await _add(store, "Cat", "admin", "support")
    assert await store.register.has_other_admin(ann.user_id, None)
    assert await store.register.has_role("support", None)
    assert not await store.register.has_role("billing", None)


async def test_pinned_user_is_the_stored_one(store):
    """Pinning changes nothing that is seen, and later updates go on."""
    ann = await _add(store, "Ann")
    assert await store.users.pin(ann.user_id, None) == ann
    await store.users.update(ann.changed(NOW, display_name="Bea"), None)
    assert (await store.users.pin(ann.user_id, None)).display_name == "Bea"
    assert await store.users.pin(new_id(), None) is None


async def test_custom_roles_round_trip(store):
    """Stored, found, pinned, replaced and removed by name."""
    support = CustomRole("support", "1st", frozenset({Permission.READ_USERS}), NOW)
    await store.roles.put(support, None)
    await store.roles.put(CustomRole("audit", "", frozenset(Permission), NOW), None)
    assert [role.name for role in await store.roles.all()] == ["audit", "support"]
    assert await store.roles.get("support", None) == support
    assert await store.roles.pin(["support", "nobody"], None) == [support]
    assert list(await store.roles.named([], None)) == []
    assert await store.roles.remove("support", None)
    assert not await store.roles.remove("support", None)
    assert await store.roles.get("support", None) is None


async def test_audit_is_read_by_actor_or_target_newest_first(store):
    """A user's records, page by page, and nobody else's."""
    ann, bob = new_id(), new_id()
    for number in range(3):
        await store.trail.record(
            AuditEntry("user.suspended", bob, ann, details={"number": number}), None
        )
        await store.trail.record(AuditEntry("session.started", bob), None)
    entry = AuditEntry("x.refused", ann, bob, result=AuditResult.REFUSED, reason="y")
    await store.trail.record(entry, None)
    first = await store.reader.about(ann, before=None, limit=2)
    assert first[0].entry == entry
    assert first[1].entry.details == {"number": 2}
    rest = await store.reader.about(ann, before=first[1].record_id, limit=9)
    assert [record.entry.details["number"] for record in rest] == [1, 0]
    assert len(await store.reader.about(bob, before=None, limit=9)) == 7
