"""One contract for the repositories: in memory and on MongoDB."""

from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.crypto import KeyRing
from libs.kernel import new_id
from services.auth.domain import (
    AuthMethod,
    Ceremony,
    CeremonyPurpose,
    ClientDevice,
    EmailAddress,
    Invite,
    LinkPurpose,
    OneTimeLink,
    Passkey,
    PendingSignIn,
    PersonalToken,
    Registration,
    RevokeReason,
    SecondFactorPolicy,
    SecondFactors,
    Session,
    User,
    UserStatus,
)
from services.auth.domain.errors import (
    EmailTakenError,
    HandleTakenError,
    PasskeyKnownError,
    UserChangedError,
)
from services.auth.repository import (
    EmailVault,
    MemoryCeremonyRepository,
    MemoryCredentialRepository,
    MemoryInviteRepository,
    MemoryLinkRepository,
    MemoryPendingSignInRepository,
    MemoryPersonalTokenRepository,
    MemorySecondFactorPolicyRepository,
    MemorySecondFactorRepository,
    MemorySessionRepository,
    MemoryUserRepository,
    MongoCeremonyRepository,
    MongoCredentialRepository,
    MongoInviteRepository,
    MongoLinkRepository,
    MongoPendingSignInRepository,
    MongoPersonalTokenRepository,
    MongoSecondFactorPolicyRepository,
    MongoSecondFactorRepository,
    MongoSessionRepository,
    MongoUserRepository,
)
from tests.support.mongo import emptied_database

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Store:
    """The repositories of one backend."""

    users: Any
    credentials: Any
    links: Any
    invites: Any
    sessions: Any
    second_factors: Any
    pending: Any
    ceremonies: Any
    tokens: Any
    policy: Any


@asynccontextmanager
async def _mongo(stack, ring):
    url = stack.admin_mongo_url
    async with emptied_database(url, "contract_auth") as database:
        store = Store(
            MongoUserRepository(database, EmailVault(ring)),
            MongoCredentialRepository(database),
            MongoLinkRepository(database, EmailVault(ring)),
            MongoInviteRepository(database, EmailVault(ring)),
            MongoSessionRepository(database),
            MongoSecondFactorRepository(database, ring),
            MongoPendingSignInRepository(database),
            MongoCeremonyRepository(database),
            MongoPersonalTokenRepository(database),
            MongoSecondFactorPolicyRepository(database),
        )
        for kept in (
            store.users,
            store.sessions,
            store.pending,
            store.ceremonies,
            store.second_factors,
            store.links,
            store.invites,
            store.tokens,
        ):
            await kept.create_indexes()
            await kept.create_indexes()
        yield store


@pytest.fixture(scope="module")
def ring(stack):
    """Auth's storage ring of the stack."""
    path = stack.service_environment("auth")["AUTH_STORAGE_KEYS_FILE"]
    return KeyRing.from_file(Path(path))


@pytest.fixture(params=["memory", "mongo"])
async def store(request, stack, ring):
    """The repositories, empty."""
    memory = Store(
        MemoryUserRepository(),
        MemoryCredentialRepository(),
        MemoryLinkRepository(),
        MemoryInviteRepository(),
        MemorySessionRepository(),
        MemorySecondFactorRepository(),
        MemoryPendingSignInRepository(),
        MemoryCeremonyRepository(),
        MemoryPersonalTokenRepository(),
        MemorySecondFactorPolicyRepository(),
    )
    backend = _mongo(stack, ring) if request.param == "mongo" else nullcontext(memory)
    async with backend as opened:
        yield opened


def _user(name="Ann", **fields):
    return User(
        user_id=new_id(),
        revision=1,
        status=fields.pop("status", UserStatus.ACTIVE),
        email=EmailAddress.parse(fields.pop("email", f"{new_id()}@example.test")),
        display_name=name,
        locale="en",
        roles=("member",),
        created_at=NOW,
        updated_at=NOW,
        **fields,
    )


def _session(user_id, **fields):
    return Session(
        session_id=new_id(),
        user_id=user_id,
        device_name="phone",
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + timedelta(days=30),
        token_hash="a",
        token_key_id="k",
        **fields,
    )


async def test_user_round_trips(store):
    """Every field comes back, the sealed address too."""
    user = replace(
        _user(email="Ann.Lee@example.test"),
        handle="ann",
        verified_at=NOW,
        status_text="here",
    )
    await store.users.add(user, None)
    assert await store.users.get(user.user_id, None) == user
    found = EmailAddress.parse("ANN.lee@EXAMPLE.test")
    assert await store.users.find_by_email(found, None) == user
    assert await store.users.find_by_handle("ann") == user
    assert await store.users.get(new_id(), None) is None


async def test_address_is_unique_whatever_its_case(store):
    """One address, one account."""
    await store.users.add(_user(email="ann@example.test"), None)
    with pytest.raises(EmailTakenError):
        await store.users.add(_user(email="ANN@example.test"), None)


async def test_update_needs_the_revision_before(store):
    """A lost update is refused, not merged."""
    user = _user()
    await store.users.add(user, None)
    changed = user.changed(NOW, display_name="Bea")
    await store.users.update(changed, None)
    with pytest.raises(UserChangedError):
        await store.users.update(user.changed(NOW, display_name="Cleo"), None)
    assert (await store.users.get(user.user_id, None)).display_name == "Bea"


async def test_handle_is_unique_and_optional(store):
    """Many users have none; nobody shares one."""
    ann, bob = _user("Ann"), _user("Bob")
    await store.users.add(ann, None)
    await store.users.add(bob, None)
    await store.users.update(ann.changed(NOW, handle="same"), None)
    with pytest.raises(HandleTakenError):
        await store.users.update(bob.changed(NOW, handle="same"), None)


async def test_search_reads_prefixes_of_words_and_handles_in_order(store):
    """Active users only, literal text, stable pages; ids find who keeps a name."""
    users = [
        replace(_user("Ann Lovelace"), handle="zed"),
        _user("Lova Berg"),
        _user("Bob"),
        _user("Lovis Pending", status=UserStatus.PENDING),
        _user("Love Deleted", status=UserStatus.DELETED),
        _user("Lov Suspended", status=UserStatus.SUSPENDED),
    ]
    for user in users:
        await store.users.add(user, None)
    found = await store.users.search("lov", after=None, limit=10)
    assert found == [users[0], users[1]]
    assert await store.users.search("lov", after=found[0].user_id, limit=1) == [
        users[1]
    ]
    assert await store.users.search("zed", after=None, limit=10) == [users[0]]
    assert await store.users.search(".*", after=None, limit=10) == []
    wanted = [users[5].user_id, users[3].user_id, users[2].user_id, new_id()]
    assert await store.users.get_many(wanted) == [users[2], users[5]]


async def test_credentials_are_replaced(store):
    """A rehash never overwrites a password that was changed meanwhile."""
    user_id = new_id()
    assert await store.credentials.get(user_id, None) is None
    assert await store.credentials.pin(user_id, None) is None
    await store.credentials.put(user_id, "old", None)
    await store.credentials.replace(user_id, "other", "lost")
    assert await store.credentials.get(user_id, None) == "old"
    await store.credentials.replace(user_id, "old", "new")
    assert await store.credentials.get(user_id, None) == "new"
    assert await store.credentials.pin(user_id, None) == "new"
    await store.credentials.put(user_id, "last", None)
    assert await store.credentials.get(user_id, None) == "last"
    await store.credentials.remove(user_id, None)
    assert await store.credentials.get(user_id, None) is None


async def test_a_voided_password_is_told_from_none(store):
    """Nothing matches it, no rehash brings it back, a new one takes its place."""
    user_id = new_id()
    assert not await store.credentials.void(user_id, None)
    assert not await store.credentials.is_kept(user_id, None)
    await store.credentials.put(user_id, "old", None)
    assert await store.credentials.void(user_id, None)
    assert await store.credentials.get(user_id, None) is None
    assert await store.credentials.pin(user_id, None) is None
    assert await store.credentials.is_kept(user_id, None)
    await store.credentials.replace(user_id, "old", "rehashed")
    assert await store.credentials.get(user_id, None) is None
    await store.credentials.put(user_id, "new", None)
    assert await store.credentials.get(user_id, None) == "new"
    await store.credentials.remove(user_id, None)
    assert not await store.credentials.is_kept(user_id, None)


async def test_the_second_factor_policy_round_trips(store):
    """None before the first; then the last one."""
    assert await store.policy.get(None) is None
    for roles in ({"admin", "guest"}, set()):
        policy = SecondFactorPolicy(frozenset(roles), NOW)
        await store.policy.put(policy, None)
        assert await store.policy.get(None) == policy


def _links(subject_id):
    """Return a link of each purpose."""
    late = NOW + timedelta(days=1_000)
    payloads = {
        LinkPurpose.VERIFICATION: {"registration": Registration("Ann", "en", "hash")},
        LinkPurpose.EMAIL_CHANGE: {"new_email": EmailAddress.parse("New@example.test")},
    }
    return [
        OneTimeLink(new_id(), purpose, subject_id, late, **payloads.get(purpose, {}))
        for purpose in LinkPurpose
    ]


async def test_pw_8_link_is_taken_once(store):
    """PW-8: taking removes, for its own purpose alone; voiding removes all of one."""
    mine, theirs = _links(new_id()), _links(new_id())
    for link in (*mine, *theirs):
        await store.links.add(link, None)
    for link in mine[:2]:
        for purpose in set(LinkPurpose) - {link.purpose}:
            assert await store.links.take(link.token_hash, purpose, None) is None
        assert await store.links.take(link.token_hash, link.purpose, None) == link
        assert await store.links.take(link.token_hash, link.purpose, None) is None
    await store.links.remove_all(mine[0].subject_id, None)
    for link in mine[2:]:
        assert await store.links.take(link.token_hash, link.purpose, None) is None
    for link in theirs:
        assert await store.links.take(link.token_hash, link.purpose, None) == link


async def test_links_that_stop_something_are_voided_apart(store):
    """A kept purpose stays; of one purpose those that expire later go."""
    user_id, other = new_id(), new_id()
    stop, reset = LinkPurpose.EMAIL_STOP, LinkPurpose.RESET
    late = NOW + timedelta(days=1_000)
    stops = [
        OneTimeLink(new_id(), stop, subject, late + SECOND * n)
        for subject, n in ((user_id, 0), (user_id, 1), (other, 1))
    ]
    plain = OneTimeLink(new_id(), reset, user_id, late)
    for link in (*stops, plain):
        await store.links.add(link, None)
    assert await store.links.get(plain.token_hash, reset) == plain
    assert await store.links.get(plain.token_hash, stop) is None
    await store.links.remove_all(user_id, None, kept=stop)
    assert await store.links.get(plain.token_hash, reset) is None
    await store.links.remove_later(user_id, stop, stops[0].expires_at, None)
    found = [await store.links.get(link.token_hash, stop) for link in stops]
    assert found == [stops[0], None, stops[2]]


async def test_pending_sign_ins_of_a_provider_are_voided(store):
    """By provider, its session and the user: every criterion has to fit."""
    ann, bob = new_id(), new_id()
    device = ClientDevice("phone", "", has_cookie=False, provider_id="acme")
    device = replace(device, provider_session_hash="one")
    ends = NOW + timedelta(days=1_000)
    waiting = [
        PendingSignIn(new_id(), user_id, replace(device, **changed), (), ends)
        for user_id, changed in (
            (ann, {}),
            (ann, {"provider_session_hash": "two"}),
            (bob, {}),
            (ann, {"provider_id": "beta"}),
        )
    ]
    for pending in waiting:
        await store.pending.add(pending, None)

    async def left():
        found = [await store.pending.get(one.token_hash) for one in waiting]
        return [one is not None for one in found]

    remove = store.pending.remove_of_provider
    await remove("acme", None, session_hash="one", user_id=ann)
    assert await left() == [False, True, True, True]
    await remove("acme", None, session_hash="one")
    assert await left() == [False, True, False, True]
    await remove("acme", None, user_id=ann)
    assert await left() == [False, False, False, True]


async def test_invitations_are_listed_until_they_expire(store):
    """One inviter's or everybody's, in pages, in the order of their ids."""
    ann, bob = new_id(), new_id()
    made = []
    for inviter, days in ((ann, 7), (bob, 7), (ann, 7), (ann, 0)):
        late = NOW + timedelta(days=days)
        email = EmailAddress.parse(f"{new_id()}@example.test")
        made.append(Invite(new_id(), email, "member", "en", inviter, NOW, late))
        await store.invites.add(made[-1], None)

    async def listed(inviter_id, after=None, limit=10):
        found = await store.invites.list_waiting(
            inviter_id=inviter_id, at=NOW, after=after, limit=limit
        )
        return list(found)

    assert await listed(None) == made[:3]
    assert await listed(ann) == [made[0], made[2]]
    assert await listed(ann, after=made[0].invite_id) == [made[2]]
    assert await listed(None, limit=1) == made[:1]
    assert await store.invites.get(made[0].invite_id, None) == made[0]
    assert await store.invites.remove(made[0].invite_id, None)
    assert not await store.invites.remove(made[0].invite_id, None)
    assert await store.invites.get(made[0].invite_id, None) is None
    assert await store.invites.remove_to(made[1].email, None) == [made[1].invite_id]
    assert made[2].invite_id in await store.invites.remove_of(ann, None)
    assert await listed(None) == []


async def test_taken_address_is_told_from_a_taken_handle(store):
    """A change of the address meets the unique index as one of the handle does."""
    ann, bob = _user("Ann"), _user("Bob")
    await store.users.add(ann, None)
    await store.users.add(bob, None)
    with pytest.raises(EmailTakenError):
        await store.users.update(bob.changed(NOW, email=ann.email), None)


async def test_rt_2_rotation_is_compare_and_set(store):
    """RT-2: of two rotations of one token the second changes nothing."""
    session = _session(new_id())
    await store.sessions.add(session, None)
    first = session.rotated("b", "k", NOW + SECOND)
    assert await store.sessions.rotate(first, None)
    assert not await store.sessions.rotate(session.rotated("c", "k", NOW), None)
    assert await store.sessions.get(session.session_id, None) == first


async def test_revocation_is_once_and_final(store):
    """An ended session neither ends again nor rotates."""
    session = _session(new_id())
    await store.sessions.add(session, None)
    revoked = session.revoked(RevokeReason.LOGOUT, NOW)
    assert await store.sessions.revoke(revoked, None)
    assert not await store.sessions.revoke(revoked, None)
    assert not await store.sessions.rotate(session.rotated("b", "k", NOW), None)
    assert await store.sessions.get(session.session_id, None) == revoked


async def test_live_sessions_are_listed_by_id(store):
    """Neither ended, expired, idle nor foreign sessions are listed."""
    user_id = new_id()
    live = [_session(user_id) for _ in range(3)]
    gone = [
        _session(user_id, revoked_at=NOW, revoke_reason=RevokeReason.LOGOUT),
        replace(_session(user_id), expires_at=NOW),
        replace(_session(user_id), last_used_at=NOW - timedelta(days=7)),
        _session(new_id()),
    ]
    for session in [*live, *gone]:
        await store.sessions.add(session, None)
    listing = store.sessions.list_live
    assert await listing(user_id, at=NOW, after=None, limit=2) == live[:2]
    after = live[1].session_id
    assert await listing(user_id, at=NOW, after=after, limit=2) == live[2:]
    surplus = await store.sessions.oldest_live(user_id, at=NOW, keep=1, session=None)
    assert surplus == [live[1], live[0]]


async def test_a_device_is_remembered_with_its_addresses(store):
    """By its name, of its user, also after the end of the session."""
    ann = new_id()
    for device_name, address, user_id in (
        ("phone", "192.0.2.1", ann),
        ("phone", "192.0.2.2", ann),
        ("laptop", "192.0.2.3", ann),
        ("phone", "192.0.2.4", new_id()),
    ):
        session = _session(user_id, client_address=address)
        session = replace(session, device_name=device_name)
        await store.sessions.add(session, None)
        await store.sessions.revoke(session.revoked(RevokeReason.LOGOUT, NOW), None)
    found = await store.sessions.addresses_of(ann, "phone", None)
    assert sorted(found) == ["192.0.2.1", "192.0.2.2"]


async def test_revoked_sessions_are_paged_by_time_and_id(store):
    """Sessions that ended in the same millisecond are neither lost nor repeated."""
    ended = []
    for shift in (0, 1, 1, 1, 2):
        session = _session(new_id())
        await store.sessions.add(session, None)
        revoked = session.revoked(RevokeReason.REVOKED, NOW + shift * SECOND)
        await store.sessions.revoke(revoked, None)
        ended.append(revoked)
    listing = store.sessions.revoked_since
    assert await listing(NOW + SECOND, after=None, limit=10) == ended[1:]
    page = await listing(NOW, after=None, limit=3)
    assert page == ended[:3]
    rest = await listing(NOW + SECOND, after=page[-1].session_id, limit=10)
    assert rest == ended[3:]


async def test_mf_1_second_factors_change_by_compare_and_set(store):
    """MF-1: of two changes to one revision the second changes nothing."""
    user_id = new_id()
    nothing = await store.second_factors.get(user_id, None)
    assert nothing == SecondFactors(user_id)
    waiting = nothing.with_candidate("SEED", NOW)
    assert await store.second_factors.save(waiting, None)
    assert not await store.second_factors.save(waiting, None)
    enrolled = waiting.with_totp(7, ["a", "b"])
    assert await store.second_factors.save(enrolled, None)
    assert not await store.second_factors.save(waiting.with_totp(8, ["c"]), None)
    assert await store.second_factors.get(user_id, None) == enrolled
    await store.second_factors.remove(user_id, None)
    assert await store.second_factors.get(user_id, None) == nothing


async def test_a_passkey_round_trips_and_is_one_users(store):
    """The authenticator's id is unique over all users; without one many may be."""
    key = Passkey(new_id(), new_id(), "desk", b"\x00cose", 7, NOW)
    ann = SecondFactors(new_id()).with_passkey(key, ["a"])
    assert await store.second_factors.save(ann, None)
    used = ann.with_passkey_changed(key.used(8, NOW + SECOND, is_alone=True))
    assert await store.second_factors.save(used, None)
    assert await store.second_factors.get(ann.user_id, None) == used
    with pytest.raises(PasskeyKnownError):
        await store.second_factors.save(
            SecondFactors(new_id()).with_passkey(key, []), None
        )
    for _ in range(2):
        bare = SecondFactors(new_id()).with_candidate("SEED", NOW)
        assert await store.second_factors.save(bare, None)


async def test_personal_tokens_are_found_listed_and_ended_once(store):
    """By hash and id, the live ones in the order of their ids, each ends once."""
    user_id, later = new_id(), NOW + timedelta(days=1_000)
    made = [
        PersonalToken(new_id(), user_id, "bot", ("admin",), new_id(), NOW, expires_at)
        for expires_at in (later, later, NOW)
    ]
    for one in made:
        await store.tokens.add(one, None)
    assert await store.tokens.find_by_hash(made[0].token_hash) == made[0]
    assert await store.tokens.find_by_hash("none") is None
    assert await store.tokens.get(made[1].token_id, None) == made[1]
    listing = store.tokens.list_live
    assert await listing(user_id, at=NOW, after=None, limit=9) == made[:2]
    after = made[0].token_id
    assert await listing(user_id, at=NOW, after=after, limit=9) == made[1:2]
    await store.tokens.touch(after, NOW + SECOND)
    used = await store.tokens.get(after, None)
    assert used.last_used_at == NOW + SECOND
    assert await store.tokens.revoke(used.revoked(NOW), None)
    assert not await store.tokens.revoke(used.revoked(NOW), None)
    assert await listing(user_id, at=NOW, after=None, limit=9) == made[1:2]
    await store.tokens.remove_all(user_id, None)
    assert await store.tokens.get(made[1].token_id, None) is None


async def test_a_challenge_is_taken_once(store):
    """Whoever takes it removes it."""
    later = NOW + timedelta(days=1_000)
    made = Ceremony(new_id(), CeremonyPurpose.STEP_UP, "session", later)
    await store.ceremonies.add(made)
    assert await store.ceremonies.take(made.challenge_hash) == made
    assert await store.ceremonies.take(made.challenge_hash) is None


async def test_mf_2_a_pending_sign_in_takes_five_tries(store):
    """MF-2: each try is counted before it is looked at; the sixth finds nothing."""
    pending = PendingSignIn(
        new_id(),
        new_id(),
        ClientDevice("phone", "10.0.0.1", has_cookie=True),
        (AuthMethod.PASSWORD,),
        NOW + timedelta(days=1_000),
        is_enrolment=True,
    )
    await store.pending.add(pending, None)
    assert await store.pending.get(pending.token_hash) == pending
    for tries in range(1, 6):
        found = await store.pending.count_try(pending.token_hash, at=NOW)
        assert found == replace(pending, tries=tries)
    assert await store.pending.count_try(pending.token_hash, at=NOW) is None
    assert await store.pending.take(pending.token_hash, None)
    assert not await store.pending.take(pending.token_hash, None)


async def test_mf_2_a_pending_sign_in_expires_and_is_voided(store):
    """MF-2: nothing is tried after its end, nor after all of a user's were voided."""
    pending = [
        PendingSignIn(
            new_id(), "u", ClientDevice("", "", has_cookie=False), (), NOW + SECOND
        )
        for _ in range(2)
    ]
    for one in pending:
        await store.pending.add(one, None)
    late = await store.pending.count_try(pending[0].token_hash, at=NOW + SECOND)
    assert late is None
    await store.pending.remove_all("u", None)
    assert await store.pending.get(pending[1].token_hash) is None


async def test_address_is_found_after_a_rotation_of_the_storage_ring(stack, ring):
    """A new storage key neither hides nor frees an address."""
    async with _mongo(stack, ring) as before:
        user = _user(email="ann@example.test")
        await before.users.add(user, None)
        database = before.users._users.database
        rotated = MongoUserRepository(database, EmailVault(ring.rotated()))
        assert await rotated.find_by_email(user.email, None) == user
        with pytest.raises(EmailTakenError):
            await rotated.add(_user(email="ann@example.test"), None)
        other = _user(email="bob@example.test")
        await rotated.add(other, None)
        with pytest.raises(EmailTakenError):
            await rotated.update(other.changed(NOW, email=user.email), None)
        await rotated.update(user.changed(NOW), None)
