"""One contract for the repositories, on MongoDB and in memory."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.chassis.mongo import open_mongo
from libs.crypto import FieldSealer, KeyRing
from libs.kernel import FrozenClock, new_id
from services.media.domain import (
    Document,
    DocumentStatus,
    Membership,
    MembershipChange,
    Rendition,
    ScopeChange,
    conversation_scope,
    new_storage_key,
    private_scope,
    project_scope,
)
from services.media.repository import (
    MemoryAccessRepository,
    MemoryDocumentRepository,
    MemoryLease,
    MongoAccessRepository,
    MongoDocumentRepository,
    MongoLease,
)

BOTH = ["memory", pytest.param("mongo", marks=pytest.mark.integration)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=BOTH)
async def documents(request):
    """A document repository."""
    if request.param == "memory":
        yield MemoryDocumentRepository()
        return
    async with open_mongo(request.getfixturevalue("settings")) as database:
        repository = MongoDocumentRepository(database, FieldSealer(KeyRing.generate()))
        await database["documents"].delete_many({})
        await repository.ensure_indexes()
        yield repository


@pytest.fixture(params=BOTH)
async def access(request):
    """An access repository."""
    if request.param == "memory":
        yield MemoryAccessRepository()
        return
    async with open_mongo(request.getfixturevalue("settings")) as database:
        repository = MongoAccessRepository(database)
        await repository.ensure_indexes()
        yield repository


def a_document(**changes):
    """Return a document that waits for its bytes."""
    document = Document(
        document_id=new_id(),
        owner_id=new_id(),
        scope=conversation_scope(new_id()),
        status=DocumentStatus.UPLOADING,
        file_name="geheim.png",
        content_type="image/png",
        size_bytes=10,
        storage_key=new_storage_key(),
        created_at=NOW,
        upload_expires_at=NOW + timedelta(minutes=5),
    )
    return replace(document, **changes)


def a_ready_document(**changes):
    """Return a document with everything a document can have."""
    made = Rendition("thumbnail", "image/webp", 5, 3, 2)
    return (
        a_document(**changes)
        .completed(NOW)
        .accepted(
            content_type="image/png",
            size_bytes=9,
            sha256="0" * 64,
            picture_size=(30, 20),
            renditions=(made,),
        )
    )


async def test_document_round_trip(documents):
    """What is stored comes back unchanged."""
    for document in (a_document(), a_ready_document(), a_document().deleted()):
        await documents.insert(document)
        assert await documents.get(document.document_id) == document
    assert await documents.get(new_id()) is None


async def test_replace_compares_the_status(documents):
    """Of two that move a document from one status, one succeeds."""
    document = a_document()
    await documents.insert(document)
    done = await asyncio.gather(
        *(
            documents.replace(
                document.completed(NOW), expected=DocumentStatus.UPLOADING
            )
            for _ in range(5)
        )
    )
    assert sorted(done) == [False, False, False, False, True]
    assert not await documents.replace(a_document(), expected=DocumentStatus.UPLOADING)


async def test_remove_compares_the_status(documents):
    """A document that moved on is not removed."""
    document = a_document()
    await documents.insert(document)
    remove = documents.remove
    assert not await remove(document.document_id, expected=DocumentStatus.READY)
    assert await remove(document.document_id, expected=DocumentStatus.UPLOADING)
    assert await documents.get(document.document_id) is None


async def test_documents_of_a_scope_are_paged(documents):
    """Only ready documents of that home, newest first, in pages."""
    home = conversation_scope(new_id())
    ready = [a_ready_document(scope=home) for _ in range(5)]
    others = [a_document(scope=home), a_ready_document(), a_document().deleted()]
    for document in (*ready, *others):
        await documents.insert(document)
    first = await documents.in_scope(home, before_id=None, limit=3)
    rest = await documents.in_scope(home, before_id=first[-1].document_id, limit=3)
    assert first + rest == ready[::-1]


async def test_documents_of_an_owner_are_paged(documents):
    """Wherever they live and in any status but deleted, newest first."""
    owner = new_id()
    living = [
        a_document(owner_id=owner),
        a_ready_document(owner_id=owner, scope=conversation_scope(new_id())),
        a_ready_document(owner_id=owner),
    ]
    for document in (*living, a_document(owner_id=owner).deleted(), a_document()):
        await documents.insert(document)
    first = await documents.of_owner(owner, before_id=None, limit=2)
    rest = await documents.of_owner(owner, before_id=first[-1].document_id, limit=2)
    assert first + rest == living[::-1]


async def test_living_documents_of_a_scope(documents):
    """Every status counts as living but the last."""
    home = conversation_scope(new_id())
    living = [
        a_document(scope=home),
        a_document(scope=home).completed(NOW),
        a_document(scope=home).completed(NOW).rejected("type_mismatch"),
        a_ready_document(scope=home),
    ]
    for document in (*living, a_document(scope=home).deleted(), a_document()):
        await documents.insert(document)
    found = await documents.living_in_scope(home, limit=10)
    ids = {document.document_id for document in found}
    assert ids == {document.document_id for document in living}
    assert len(await documents.living_in_scope(home, limit=2)) == 2


async def test_uncleared_by_status_and_time(documents):
    """The sweep sees what may lie in quarantine, oldest first, until it is cleared."""
    old, older = (
        a_ready_document(upload_expires_at=NOW - timedelta(hours=hours))
        for hours in (1, 2)
    )
    for document in (old, older, a_ready_document(), a_document()):
        await documents.insert(document)

    async def found():
        page = await documents.uncleared([DocumentStatus.READY], before=NOW, limit=10)
        return [leftover.quarantine_key for leftover in page]

    assert await found() == [older.quarantine_key, old.quarantine_key]
    await documents.mark_quarantine_cleared(older.document_id)
    assert await found() == [old.quarantine_key]


async def test_membership_in_any_order(access):
    """Whatever order the news comes in, the highest revision counts."""
    home, user = conversation_scope(new_id()), new_id()
    news = [
        MembershipChange(home, user, 1, "member"),
        MembershipChange(home, user, 4, "admin"),
        MembershipChange(home, user, 7, None),
    ]
    assert await access.membership(home, user) is None
    await access.apply([news[1]], [])
    await access.apply([news[0]], [])
    assert await access.membership(home, user) == Membership("admin")
    await access.apply([news[2], news[1]], [])
    await access.apply(news, [])
    assert await access.membership(home, user) is None
    await access.apply([MembershipChange(home, user, 9, "guest")], [])
    assert await access.membership(home, user) == Membership("guest")


async def test_removal_that_comes_first(access):
    """Somebody who was removed before we heard of them never gets in."""
    home, user = project_scope(new_id()), new_id()
    await access.apply([MembershipChange(home, user, 5, None)], [])
    await access.apply([MembershipChange(home, user, 2, "collaborator")], [])
    assert await access.membership(home, user) is None


async def test_membership_is_of_one_home(access):
    """The same id as conversation and as project are two homes."""
    shared, user = new_id(), new_id()
    change = MembershipChange(project_scope(shared), user, 1, "owner")
    await access.apply([change], [])
    assert await access.membership(project_scope(shared), user)
    assert not await access.membership(conversation_scope(shared), user)


async def test_archived_and_back(access):
    """Archived is read-only, and can be taken back; old news changes nothing."""
    home, user = conversation_scope(new_id()), new_id()
    await access.apply(
        [MembershipChange(home, user, 1, "member")],
        [ScopeChange(home, 3, is_archived=True)],
    )
    await access.apply([], [ScopeChange(home, 2, is_archived=False)])
    assert await access.membership(home, user) == Membership("member", is_archived=True)
    await access.apply([], [ScopeChange(home, 4, is_archived=False)])
    assert await access.membership(home, user) == Membership("member")


async def test_deleted_is_for_ever(access):
    """After a deletion nobody is a member, whatever comes late."""
    home, user = conversation_scope(new_id()), new_id()
    await access.apply([], [ScopeChange(home, 9, is_deleted=True)])
    await access.apply(
        [MembershipChange(home, user, 10, "owner")],
        [ScopeChange(home, 11, is_archived=False)],
    )
    assert await access.membership(home, user) is None


async def test_concurrent_changes_of_one_person(access):
    """Changes that are applied at the same time end in the newest."""
    home, user = conversation_scope(new_id()), new_id()
    await access.apply([MembershipChange(home, user, 1, "member")], [])
    await asyncio.gather(
        *(
            access.apply([MembershipChange(home, user, revision, f"r{revision}")], [])
            for revision in range(2, 12)
        )
    )
    assert await access.membership(home, user) == Membership("r11")


async def test_values_are_never_expressions(access):
    """A role or an id that looks like an operator is stored as it is (NI-1)."""
    home, user = conversation_scope("$$ROOT"), "$revision"
    await access.apply([MembershipChange(home, user, 1, "$$NOW")], [])
    assert await access.membership(home, user) == Membership("$$NOW")


async def test_the_newest_avatar_counts(access):
    """By revision, in whatever order it is told; nobody's document is another's."""
    user, document, newer = new_id(), new_id(), new_id()
    await access.put_avatar(user, newer, 3)
    await access.put_avatar(user, document, 2)
    assert await access.is_avatar(user, newer)
    assert not await access.is_avatar(user, document)
    assert not await access.is_avatar(new_id(), newer)
    await access.put_avatar(user, None, 4)
    assert not await access.is_avatar(user, newer)


@pytest.fixture(params=BOTH)
async def leases(request):
    """Two processes that want the same lease, and their clock."""
    clock = FrozenClock()
    if request.param == "memory":
        first, second = (MemoryLease(holder=name, clock=clock) for name in "ab")
        second.leases = first.leases
        yield first, second, clock
        return
    async with open_mongo(request.getfixturevalue("settings")) as database:
        first, second = (
            MongoLease(database, holder=name, clock=clock) for name in "ab"
        )
        yield first, second, clock


async def test_lease_has_one_holder(leases):
    """A lease is taken by one, renewed by it, and free again when it ends."""
    first, second, clock = leases
    name, duration = new_id(), timedelta(seconds=10)
    assert await first.acquire(name, duration=duration)
    assert not await second.acquire(name, duration=duration)
    clock.advance(timedelta(seconds=6))
    assert await first.acquire(name, duration=duration)
    clock.advance(timedelta(seconds=6))
    assert not await second.acquire(name, duration=duration)
    clock.advance(timedelta(seconds=5))
    assert await second.acquire(name, duration=duration)
    assert not await first.acquire(name, duration=duration)


@pytest.mark.integration
async def test_file_names_are_sealed_at_rest(database):
    """No file name is readable in the database (CR-6)."""
    document = a_document()
    repository = MongoDocumentRepository(database, FieldSealer(KeyRing.generate()))
    await repository.insert(document)
    row = await database["documents"].find_one({"_id": document.document_id})
    assert b"geheim" not in row["file_name"]["c"]
    assert "geheim" not in repr(row)


async def test_what_is_a_persons_alone(documents):
    """Private ones, and those elsewhere that never became ready; none that is gone."""
    owner, home = new_id(), conversation_scope(new_id())
    own = {"owner_id": owner, "scope": private_scope(owner)}
    alone = [
        a_ready_document(**own),
        a_document(**own).completed(NOW),
        a_document(owner_id=owner, scope=home),
        a_document(owner_id=owner, scope=home).completed(NOW).rejected("file_empty"),
    ]
    others = [
        a_ready_document(owner_id=owner, scope=home),
        a_document(owner_id=owner, scope=home).completed(NOW),
        a_document(**own).deleted(),
        a_ready_document(scope=private_scope(new_id())),
        a_document(scope=home),
    ]
    for document in (*alone, *others):
        await documents.insert(document)
    found = await documents.private_to(owner, limit=10)
    ids = {document.document_id for document in found}
    assert ids == {document.document_id for document in alone}
    assert len(await documents.private_to(owner, limit=3)) == 3


async def test_sr_6_who_is_barred(access):
    """SR-6: by the newest word on a suspension; who is gone is so for ever."""
    user, gone, picture = new_id(), new_id(), new_id()
    assert not await access.is_barred(user)
    for revision, is_suspended in ((6, True), (5, False), (6, False)):
        await access.put_suspension(user, revision, is_suspended=is_suspended)
        assert await access.is_barred(user)
    await access.put_suspension(user, 7, is_suspended=False)
    assert not await access.is_barred(user)
    await access.put_avatar(gone, picture, 3)
    for _ in range(2):
        await access.put_deletion(gone, 9)
    await access.put_avatar(gone, picture, 4)
    await access.put_suspension(gone, 12, is_suspended=False)
    assert await access.is_barred(gone)
    assert not await access.is_avatar(gone, picture)
