"""One contract for what is kept of providers: in memory and on MongoDB."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.crypto import KeyRing
from libs.kernel import new_id
from services.auth.domain import (
    Destination,
    FlowPurpose,
    ProviderFlow,
    ProviderIdentity,
    ProviderLink,
    ProviderProof,
    Session,
)
from services.auth.domain.errors import IdentityTakenError
from services.auth.repository import (
    MemoryLogoutRepository,
    MemoryProviderFlowRepository,
    MemoryProviderLinkRepository,
    MemorySessionRepository,
    MongoLogoutRepository,
    MongoProviderFlowRepository,
    MongoProviderLinkRepository,
    MongoSessionRepository,
    blind_index,
)
from tests.support.mongo import emptied_database

pytestmark = pytest.mark.integration
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2036, 1, 1, tzinfo=UTC)
ISSUER = "https://idp.acme.test"
IDENTITY = ProviderIdentity(
    "acme", ISSUER, "secret-subject", email="ann@acme.test", display_name="Ann"
)


class Memory:
    """The twins."""

    def __init__(self):
        self.links = MemoryProviderLinkRepository()
        self.flows = MemoryProviderFlowRepository()
        self.logouts = MemoryLogoutRepository()
        self.sessions = MemorySessionRepository()


class Mongo:
    """The real ones."""

    def __init__(self, database, ring):
        self.database = database
        index = blind_index(ring, "identity")
        self.links = MongoProviderLinkRepository(database, index)
        self.flows = MongoProviderFlowRepository(database, ring)
        self.logouts = MongoLogoutRepository(database)
        self.sessions = MongoSessionRepository(database)


@pytest.fixture(scope="module")
def ring(stack):
    """Auth's storage ring of the stack."""
    path = stack.service_environment("auth")["AUTH_STORAGE_KEYS_FILE"]
    return KeyRing.from_file(Path(path))


@asynccontextmanager
async def _mongo(stack, ring):
    url = stack.admin_mongo_url
    async with emptied_database(url, "contract_auth") as database:
        store = Mongo(database, ring)
        for kept in (store.links, store.flows, store.logouts, store.sessions):
            await kept.create_indexes()
            await kept.create_indexes()
        yield store


@pytest.fixture
async def mongo(stack, ring):
    """A database of one test."""
    async with _mongo(stack, ring) as store:
        yield store


@pytest.fixture(params=["memory", "mongo"])
async def store(request, stack, ring):
    """Each backend in turn."""
    if request.param == "memory":
        yield Memory()
        return
    async with _mongo(stack, ring) as made:
        yield made


def _link(user_id, subject="s1", provider="acme", issuer=ISSUER):
    return ProviderLink(user_id, provider, issuer, subject, NOW)


async def test_oi_2_identity_is_found_by_issuer_and_whole_subject(store):
    """OI-2: nothing else leads to the account."""
    ann = new_id()
    await store.links.add(_link(ann), None)
    assert await store.links.find(ISSUER, "s1", None) == ann
    for issuer, subject in (
        (ISSUER, "s"),
        (ISSUER, "S1"),
        (ISSUER, "s11"),
        (f"{ISSUER}/", "s1"),
        ("https://idp.beta.test", "s1"),
        (ISSUER + "|s1", ""),
    ):
        assert await store.links.find(issuer, subject, None) is None
    assert await store.links.providers_of(ann, None) == {"acme": NOW}


async def test_identity_and_provider_are_linked_once(store):
    """One account an identity, one identity of a provider an account."""
    ann, bob = new_id(), new_id()
    await store.links.add(_link(ann), None)
    for taken in (_link(bob), _link(ann, "s2"), _link(ann)):
        with pytest.raises(IdentityTakenError):
            await store.links.add(taken, None)
    await store.links.add(_link(ann, "s1", "beta", "https://idp.beta.test"), None)
    assert await store.links.remove(ann, "acme", None)
    assert not await store.links.remove(ann, "acme", None)
    assert set(await store.links.providers_of(ann, None)) == {"beta"}
    await store.links.remove_all(ann, None)
    assert await store.links.providers_of(ann, None) == {}
    await store.links.add(_link(bob), None)


async def test_oi_1_flow_is_taken_once(store):
    """OI-1: of 20 parallel answers with one state one is looked at."""
    flow = ProviderFlow(
        "state-hash",
        "binding-hash",
        "acme",
        FlowPurpose.LINK,
        Destination("https://chat.test/", "challenge", "mine"),
        LATER,
    )
    await store.flows.add_flow(flow)
    assert await store.flows.take_proof("state-hash") is None
    taken = await asyncio.gather(
        *(store.flows.take_flow("state-hash") for _ in range(20))
    )
    assert [one for one in taken if one is not None] == [flow]


async def test_pw_8_proof_is_taken_once(store):
    """PW-8: of 20 parallel redemptions of one code one gets the identity."""
    proof = ProviderProof(
        "code-hash", IDENTITY, FlowPurpose.SIGN_IN, "binding-hash", None, LATER
    )
    await store.flows.add_proof(proof)
    assert await store.flows.take_flow("code-hash") is None
    taken = await asyncio.gather(
        *(store.flows.take_proof("code-hash") for _ in range(20))
    )
    assert [one for one in taken if one is not None] == [proof]


async def test_logout_token_is_noted_once(store):
    """Back-Channel Logout: a replay is told."""
    expires_at = LATER + timedelta(minutes=1)
    assert await store.logouts.add("hash", expires_at, None)
    assert not await store.logouts.add("hash", expires_at, None)


async def test_sessions_of_a_providers_session_are_found(store):
    """By provider and session there, without those that are over."""
    made = Session(
        new_id(), new_id(), "phone", NOW, NOW, LATER, "t", "k",
        provider_id="acme", provider_session_hash="h",
    )  # fmt: skip
    await store.sessions.add(made, None)
    find = store.sessions.list_of_provider
    assert await find("acme", "h", None) == [made]
    assert await find("beta", "h", None) == []
    assert await find("acme", "other", None) == []
    await store.sessions.revoke(made.revoked("logout", NOW), None)
    assert await find("acme", "h", None) == []


async def test_cr_6_nothing_of_an_identity_rests_in_clear(mongo):
    """CR-6: subject, address and name are sealed or hashed."""
    proof = ProviderProof("c", IDENTITY, FlowPurpose.SIGN_IN, "b", None, LATER)
    await mongo.flows.add_proof(proof)
    await mongo.links.add(_link(new_id(), "secret-subject"), None)
    for name in ("oidc_flows", "oidc_links"):
        documents = [one async for one in mongo.database[name].find()]
        for word in ("secret-subject", "ann@acme", "Ann"):
            assert word not in repr(documents)


async def test_links_survive_a_rotation_of_the_storage_ring(mongo, ring):
    """An identity linked under an older key is found and stays taken."""
    ann = new_id()
    await mongo.links.add(_link(ann), None)
    index = blind_index(ring.rotated(), "identity")
    rotated = MongoProviderLinkRepository(mongo.database, index)
    assert await rotated.find(ISSUER, "s1", None) == ann
    with pytest.raises(IdentityTakenError):
        await rotated.add(_link(new_id()), None)
