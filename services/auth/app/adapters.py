"""What the use cases stand on: opened here, closed with the lifespan."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from libs.chassis.audit import AuditReader, AuditTrail
from libs.chassis.audit.opening import open_audit
from libs.chassis.audit.reading import MongoAuditReader
from libs.chassis.bus import bus_settings
from libs.chassis.health import Health, bus_check
from libs.chassis.lease import MongoLease
from libs.chassis.mongo import open_mongo
from libs.chassis.mongo import ping as ping_mongo
from libs.chassis.redis import open_redis
from libs.chassis.redis import ping as ping_redis
from libs.crypto import KeyRing, WatchedKeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.auth.cache import (
    GuessLimits,
    RedisAnnouncer,
    RedisGuessThrottle,
    RedisMailThrottle,
    ThrottleKeys,
)
from services.auth.consumers import worker
from services.auth.ports import (
    CeremonyRepository,
    CredentialRepository,
    DeletionQueue,
    ErasureRepository,
    GuessThrottle,
    InviteRepository,
    Lease,
    LinkRepository,
    LogoutRepository,
    MailThrottle,
    PendingSignInRepository,
    PersonalTokenRepository,
    PictureRepository,
    PreferencesRepository,
    ProviderFlowRepository,
    ProviderLinkRepository,
    RevocationAnnouncer,
    RoleRepository,
    SecondFactorPolicyRepository,
    SecondFactorRepository,
    SessionRepository,
    UserRegister,
    UserRepository,
)
from services.auth.repository import (
    EmailVault,
    MongoCeremonyRepository,
    MongoCredentialRepository,
    MongoDeletionQueue,
    MongoErasureRepository,
    MongoInviteRepository,
    MongoLinkRepository,
    MongoLogoutRepository,
    MongoPendingSignInRepository,
    MongoPersonalTokenRepository,
    MongoPictureRepository,
    MongoPreferencesRepository,
    MongoProviderFlowRepository,
    MongoProviderLinkRepository,
    MongoRestoreRepository,
    MongoRoleRepository,
    MongoSecondFactorPolicyRepository,
    MongoSecondFactorRepository,
    MongoSessionRepository,
    MongoUserRegister,
    MongoUserRepository,
    blind_index,
)
from services.auth.service import PasswordHasher, PasswordLists, RestoredSignIns
from services.auth.settings import AuthSettings

if TYPE_CHECKING:
    # Only as types: drivers stay in their adapters.
    from pymongo.asynchronous.database import AsyncDatabase
    from redis.asyncio import Redis

    Database = AsyncDatabase[dict[str, Any]]


class Indexed(Protocol):
    """A store that has indexes."""

    async def create_indexes(self) -> None:
        """Make them; idempotent."""
        ...


S = TypeVar("S", bound=Indexed)


@dataclass(frozen=True, kw_only=True)
class IdentityStores:
    """What is kept of sign-ins with OpenID providers."""

    links: ProviderLinkRepository
    flows: ProviderFlowRepository
    logouts: LogoutRepository


@dataclass(frozen=True, kw_only=True)
class ProfileStores:
    """What is kept beside the profile."""

    preferences: PreferencesRepository
    pictures: PictureRepository


@dataclass(frozen=True, kw_only=True)
class DeletionStores:
    """What is kept of accounts that are to go, and of those that are gone."""

    queue: DeletionQueue
    erasures: ErasureRepository


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What is kept in the database."""

    users: UserRepository
    credentials: CredentialRepository
    links: LinkRepository
    invites: InviteRepository
    sessions: SessionRepository
    second_factors: SecondFactorRepository
    second_factor_policy: SecondFactorPolicyRepository
    pending_sign_ins: PendingSignInRepository
    identities: IdentityStores
    ceremonies: CeremonyRepository
    personal_tokens: PersonalTokenRepository
    profiles: ProfileStores
    register: UserRegister
    roles: RoleRepository
    deletions: DeletionStores
    audit: AuditTrail
    audit_reader: AuditReader


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What is counted and told in Redis."""

    announcer: RevocationAnnouncer
    guess_throttle: GuessThrottle
    mail_throttle: MailThrottle


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Everything outside that the use cases work with."""

    bus: EventBus
    clock: Clock
    hasher: PasswordHasher
    password_lists: PasswordLists
    stores: Stores
    counters: Counters
    erasing_lease: Lease


async def open_adapters(
    settings: AuthSettings, stack: AsyncExitStack, health: Health
) -> Adapters:
    """Connect to every server; what is opened closes with the stack."""
    database = await stack.enter_async_context(open_mongo(settings))
    redis = await stack.enter_async_context(open_redis(settings))
    bus = await stack.enter_async_context(
        open_bus(bus_settings(settings), database, worker)
    )
    hasher = stack.enter_context(await asyncio.to_thread(_hasher, settings))
    health.add("mongodb", lambda: ping_mongo(database))
    health.add("redis", lambda: ping_redis(redis), is_critical=False)
    health.add("rabbitmq", bus_check(bus), is_critical=False)
    ring = WatchedKeyRing(settings.storage_keys_file)
    audit = await open_audit(settings, database, stack)
    restores = MongoRestoreRepository(database)
    await RestoredSignIns(bus, restores, audit, SystemClock()).end()
    return Adapters(
        bus=bus,
        clock=SystemClock(),
        hasher=hasher,
        stores=await _stores(database, ring, audit),
        password_lists=stack.enter_context(PasswordLists()),
        counters=_counters(redis, ring, settings),
        erasing_lease=MongoLease(database, "erasing", settings.instance_id),
    )


async def _stores(database: "Database", ring: KeyRing, audit: AuditTrail) -> Stores:
    vault = EmailVault(ring)
    users = await _indexed(MongoUserRepository(database, vault))
    return Stores(
        users=users,
        credentials=MongoCredentialRepository(database),
        links=await _indexed(MongoLinkRepository(database, vault)),
        invites=await _indexed(MongoInviteRepository(database, vault)),
        sessions=await _indexed(MongoSessionRepository(database)),
        second_factors=await _indexed(MongoSecondFactorRepository(database, ring)),
        second_factor_policy=MongoSecondFactorPolicyRepository(database),
        ceremonies=await _indexed(MongoCeremonyRepository(database)),
        personal_tokens=await _indexed(MongoPersonalTokenRepository(database)),
        pending_sign_ins=await _indexed(MongoPendingSignInRepository(database)),
        profiles=await _profile_stores(database),
        identities=await _identity_stores(database, ring),
        register=await _indexed(MongoUserRegister(database, users)),
        roles=MongoRoleRepository(database),
        deletions=await _deletion_stores(database, ring),
        audit=audit,
        audit_reader=MongoAuditReader(database),
    )


async def _deletion_stores(database: "Database", ring: KeyRing) -> DeletionStores:
    return DeletionStores(
        queue=await _indexed(MongoDeletionQueue(database)),
        erasures=await _indexed(MongoErasureRepository(database, ring)),
    )


async def _identity_stores(database: "Database", ring: KeyRing) -> IdentityStores:
    index = blind_index(ring, "identity")
    return IdentityStores(
        links=await _indexed(MongoProviderLinkRepository(database, index)),
        flows=await _indexed(MongoProviderFlowRepository(database, ring)),
        logouts=await _indexed(MongoLogoutRepository(database)),
    )


async def _profile_stores(database: "Database") -> ProfileStores:
    return ProfileStores(
        preferences=MongoPreferencesRepository(database),
        pictures=await _indexed(MongoPictureRepository(database)),
    )


async def _indexed(store: S) -> S:
    await store.create_indexes()
    return store


def _counters(redis: "Redis", ring: KeyRing, settings: AuthSettings) -> Counters:
    keys = ThrottleKeys(blind_index(ring, "throttle"))
    return Counters(
        announcer=RedisAnnouncer(redis),
        guess_throttle=RedisGuessThrottle(redis, keys, _limits(settings)),
        mail_throttle=RedisMailThrottle(
            redis, keys, hourly_limit=settings.account_mails_per_hour
        ),
    )


def _hasher(settings: AuthSettings) -> PasswordHasher:
    return PasswordHasher(
        WatchedKeyRing(settings.pepper_keys_file),
        cost=settings.bcrypt_cost,
        workers=settings.hashing_threads,
        waiting_max=settings.hashing_waiting_max,
    )


def _limits(settings: AuthSettings) -> GuessLimits:
    return GuessLimits(
        pair_free=settings.login_failures_free,
        account_free=settings.login_account_failures_free,
        address_limit=settings.login_address_failures,
    )
