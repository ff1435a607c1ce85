"""One contract for what deletion needs of the stores: in memory and on MongoDB."""

from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.crypto import KeyRing
from libs.kernel import UserId, new_id
from services.auth.domain import (
    EmailAddress,
    Invite,
    RevokeReason,
    Session,
    User,
    UserStatus,
)
from services.auth.domain.erasure import ERASING_SERVICES, Backlog, Erasure
from services.auth.repository import (
    EmailVault,
    MemoryDeletionQueue,
    MemoryErasureRepository,
    MemoryInviteRepository,
    MemorySessionRepository,
    MemoryUserRepository,
    MongoDeletionQueue,
    MongoErasureRepository,
    MongoInviteRepository,
    MongoSessionRepository,
    MongoUserRepository,
)
from tests.support.mongo import emptied_database

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RING = KeyRing.generate()


@dataclass
class Store:
    """The repositories of one backend."""

    users: Any
    queue: Any
    erasures: Any
    sessions: Any
    invites: Any
    database: Any = None


@asynccontextmanager
async def _mongo(stack):
    url = stack.admin_mongo_url
    async with emptied_database(url, "contract_auth") as database:
        vault = EmailVault(RING)
        store = Store(
            MongoUserRepository(database, vault),
            MongoDeletionQueue(database),
            MongoErasureRepository(database, RING),
            MongoSessionRepository(database),
            MongoInviteRepository(database, vault),
            database,
        )
        for kept in (store.users, store.queue, store.erasures, store.queue):
            await kept.create_indexes()
        yield store


@pytest.fixture(params=["memory", "mongo"])
async def store(request, stack):
    """The repositories, empty."""
    users = MemoryUserRepository()
    memory = Store(
        users,
        MemoryDeletionQueue(users),
        MemoryErasureRepository(),
        MemorySessionRepository(),
        MemoryInviteRepository(),
    )
    backend = _mongo(stack) if request.param == "mongo" else nullcontext(memory)
    async with backend as opened:
        yield opened


def _user(due_at=None):
    return User(
        user_id=UserId(new_id()),
        revision=1,
        status=UserStatus.ACTIVE,
        email=EmailAddress.parse(f"{new_id()}@example.test"),
        display_name="Ann",
        locale="en",
        roles=("member",),
        created_at=NOW,
        updated_at=NOW,
        deletion_due_at=due_at,
    )


def _erasure(at=NOW, **fields):
    return Erasure(UserId(new_id()), 7, erased_at=at, told_at=at, **fields)


def _session(user_id, ended_at=None):
    return Session(
        session_id=new_id(),
        user_id=user_id,
        device_name="phone",
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + 30 * DAY,
        token_hash="a",
        token_key_id="k",
        client_address="10.0.0.1",
        provider_id="acme",
        provider_session_hash="b",
        revoked_at=ended_at,
        revoke_reason=RevokeReason.DELETED if ended_at else None,
    )


async def test_queue_names_who_is_due_page_by_page(store):
    """Not who stays, nor who has time; the earliest date is told."""
    assert await store.queue.oldest_due_at() is None
    due = [_user(NOW - DAY * days) for days in range(3)]
    for user in (*due, _user(), _user(NOW + DAY)):
        await store.users.add(user, None)
    first = await store.queue.due(at=NOW, after=None, limit=2)
    rest = await store.queue.due(at=NOW, after=first[-1], limit=2)
    assert [*first, *rest] == sorted(user.user_id for user in due)
    assert await store.queue.oldest_due_at() == NOW - 2 * DAY
    stored = await store.users.get(due[0].user_id, None)
    assert stored.deletion_due_at == NOW
    for user_id in (*first, *rest):
        await store.queue.remove(user_id, None)
        await store.queue.remove(user_id, None)
        assert await store.users.get(user_id, None) is None
    assert await store.queue.oldest_due_at() == NOW + DAY


async def test_address_of_the_removed_is_free(store):
    """Who comes after registers it as a new account."""
    user = _user(NOW)
    await store.users.add(user, None)
    await store.queue.remove(user.user_id, None)
    again = replace(_user(), email=user.email)
    await store.users.add(again, None)
    assert (await store.users.find_by_email(user.email, None)).user_id == again.user_id


async def test_erasures_collect_answers(store):
    """The first answer of who is awaited; listed by completeness, counted by name."""
    old, young = _erasure(), _erasure(NOW + DAY)
    whole = _erasure(awaited=("chat",), answers={"chat": NOW})
    for erasure in (old, young, whole):
        await store.erasures.add(erasure, None, None)
    assert await store.erasures.get(old.user_id, None) == old
    answers = [
        await store.erasures.answer(old.user_id, name, NOW, None)
        for name in ("chat", "chat", "gateway")
    ]
    assert answers == [True, False, False]
    assert await store.erasures.answer(UserId(new_id()), "chat", NOW, None) is False
    kept = await store.erasures.get(old.user_id, None)
    assert kept.answers == {"chat": NOW}
    assert kept.missing == ERASING_SERVICES[1:]
    backlog = await store.erasures.backlog()
    assert backlog["chat"] == Backlog(1, NOW + DAY)
    assert backlog["media"] == Backlog(2, NOW)
    await store.erasures.note_told(old.user_id, NOW + DAY, None)
    assert (await store.erasures.get(old.user_id, None)).told_at == NOW + DAY

    async def ids(**criteria):
        found = await store.erasures.page(**{"after": None, "limit": 5} | criteria)
        return [one.user_id for one in found]

    waiting = sorted([old.user_id, young.user_id])
    assert await ids(is_complete=False) == waiting
    assert await ids(is_complete=False, limit=1) == waiting[:1]
    assert await ids(is_complete=False, after=waiting[0]) == waiting[1:]
    assert await ids(is_complete=True) == [whole.user_id]
    assert await ids(is_complete=None) == sorted([*waiting, whole.user_id])


async def test_handles_of_the_gone_are_known_and_unreadable(store):
    """Also under an older key of the ring; the database holds no handle."""
    await store.erasures.add(_erasure(), "ann.lovelace", None)
    await store.erasures.add(_erasure(), None, None)
    assert await store.erasures.has_handle("ann.lovelace", None)
    assert not await store.erasures.has_handle("ann", None)
    if store.database is not None:
        later = MongoErasureRepository(store.database, RING.rotated())
        assert await later.has_handle("ann.lovelace", None)
        rows = await store.database["erasures"].find().to_list()
        assert "lovelace" not in str(rows)


async def test_ended_sessions_are_forgotten_but_for_their_end(store):
    """Others' stay; those that somebody may still ask for lose all but ids and end."""
    ann, bea = UserId(new_id()), UserId(new_id())
    old, new = _session(ann, NOW - DAY), _session(ann, NOW)
    other = _session(bea)
    for session in (old, new, other):
        await store.sessions.add(session, None)
    for _ in range(2):
        await store.sessions.forget(
            ann, ended_before=NOW - timedelta(minutes=15), session=None
        )
    assert await store.sessions.get(old.session_id, None) is None
    assert await store.sessions.get(other.session_id, None) == other
    bare = {"device_name": "", "client_address": "", "provider_id": ""}
    kept = await store.sessions.get(new.session_id, None)
    assert kept == replace(new, provider_session_hash="", **bare)
    if store.database is not None:
        [row] = await store.database["sessions"].find({"user_id": ann}).to_list()
        assert row["purge_at"] <= NOW + timedelta(hours=1)


async def test_invitations_of_one_go_together(store):
    """Their ids are told, for the links that belong to them."""
    ann, bea = UserId(new_id()), UserId(new_id())
    made = []
    for inviter in (ann, ann, bea):
        invite = Invite(
            invite_id=new_id(),
            email=EmailAddress.parse(f"{new_id()}@example.test"),
            role="member",
            locale="en",
            inviter_id=inviter,
            created_at=NOW,
            expires_at=NOW - DAY,
        )
        await store.invites.add(invite, None)
        made.append(invite.invite_id)
    assert sorted(await store.invites.remove_of(ann, None)) == sorted(made[:2])
    assert await store.invites.remove_of(ann, None) == []
    assert await store.invites.get(made[2], None) is not None
