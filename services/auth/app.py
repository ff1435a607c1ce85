"""Composition root of auth: everything is opened and put together here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from libs.chassis.app import create_http_app
from libs.chassis.bus import bus_settings
from libs.chassis.health import Health, bus_check
from libs.chassis.mongo import open_mongo
from libs.chassis.mongo import ping as ping_mongo
from libs.chassis.redis import open_redis
from libs.chassis.redis import ping as ping_redis
from libs.crypto import FieldSealer, KeyRing, SigningKeys
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.auth.api import ROUTERS, AuthState
from services.auth.cache import (
    LoginLimits,
    RedisAnnouncer,
    RedisLoginThrottle,
    RedisMailThrottle,
    ThrottleKeys,
)
from services.auth.consumers import worker
from services.auth.domain import BlindIndex
from services.auth.ports import (
    CredentialRepository,
    LoginThrottle,
    MailThrottle,
    RevocationAnnouncer,
    SessionRepository,
    UserRepository,
    VerificationRepository,
)
from services.auth.repository import (
    EmailVault,
    MongoCredentialRepository,
    MongoSessionRepository,
    MongoUserRepository,
    MongoVerificationRepository,
)
from services.auth.service import (
    AccessTokens,
    AccountRegistration,
    PasswordHasher,
    Profiles,
    RefreshTokens,
    SessionControl,
    SessionRenewal,
    SignIn,
)
from services.auth.settings import AuthSettings


@dataclass(frozen=True)
class Adapters:
    """Everything outside that the use cases work with."""

    bus: EventBus
    clock: Clock
    hasher: PasswordHasher
    users: UserRepository
    credentials: CredentialRepository
    verifications: VerificationRepository
    sessions: SessionRepository
    announcer: RevocationAnnouncer
    login_throttle: LoginThrottle
    mail_throttle: MailThrottle


def create_app(settings: AuthSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[AuthState]:
        async with AsyncExitStack() as stack:
            yield auth_state(settings, await _open(settings, stack, health))

    return create_http_app(
        settings,
        lifespan=lifespan,
        routers=ROUTERS,
        title="Parley auth",
        health=health,
    )


def auth_state(settings: AuthSettings, adapters: Adapters) -> AuthState:
    """Put the use cases together over any adapters; reads key files only."""
    bus, clock, users = adapters.bus, adapters.clock, adapters.users
    access = AccessTokens(
        SigningKeys.from_file(settings.signing_keys_file),
        issuer=settings.issuer,
        clock=clock,
    )
    refresh = RefreshTokens(KeyRing.from_file(settings.refresh_keys_file))
    sessions = adapters.sessions
    control = SessionControl(bus, sessions, adapters.announcer, clock)
    return AuthState(
        registration=_registration(settings, adapters),
        sign_in=_sign_in(adapters, control, access, refresh),
        renewal=SessionRenewal(bus, users, sessions, control, access, refresh, clock),
        session_control=control,
        profiles=Profiles(bus, users, clock),
        access_tokens=access,
        public_origin=settings.public_url,
    )


def _registration(settings: AuthSettings, adapters: Adapters) -> AccountRegistration:
    transport = KeyRing.from_file(settings.account_transport_keys_file)
    return AccountRegistration(
        bus=adapters.bus,
        users=adapters.users,
        credentials=adapters.credentials,
        verifications=adapters.verifications,
        hasher=adapters.hasher,
        transport=FieldSealer(transport),
        throttle=adapters.mail_throttle,
        clock=adapters.clock,
    )


def _sign_in(
    adapters: Adapters,
    control: SessionControl,
    access: AccessTokens,
    refresh: RefreshTokens,
) -> SignIn:
    return SignIn(
        bus=adapters.bus,
        users=adapters.users,
        credentials=adapters.credentials,
        sessions=adapters.sessions,
        control=control,
        hasher=adapters.hasher,
        throttle=adapters.login_throttle,
        access=access,
        refresh_tokens=refresh,
        clock=adapters.clock,
    )


async def _open(
    settings: AuthSettings, stack: AsyncExitStack, health: Health
) -> Adapters:
    database = await stack.enter_async_context(open_mongo(settings))
    redis = await stack.enter_async_context(open_redis(settings))
    bus = await stack.enter_async_context(
        open_bus(bus_settings(settings), database, worker)
    )
    hasher = stack.enter_context(await asyncio.to_thread(_hasher, settings))
    health.add("mongodb", lambda: ping_mongo(database))
    health.add("redis", lambda: ping_redis(redis), is_critical=False)
    health.add("rabbitmq", bus_check(bus), is_critical=False)
    ring = KeyRing.from_file(settings.storage_keys_file)
    keys = ThrottleKeys(blind_index(ring, "throttle"))
    users = MongoUserRepository(database, EmailVault(ring))
    verifications = MongoVerificationRepository(database)
    sessions = MongoSessionRepository(database)
    for indexed in (users, verifications, sessions):
        await indexed.create_indexes()
    return Adapters(
        bus=bus,
        clock=SystemClock(),
        hasher=hasher,
        users=users,
        credentials=MongoCredentialRepository(database),
        verifications=verifications,
        sessions=sessions,
        announcer=RedisAnnouncer(redis),
        login_throttle=RedisLoginThrottle(redis, keys, _limits(settings)),
        mail_throttle=RedisMailThrottle(
            redis, keys, hourly_limit=settings.account_mails_per_hour
        ),
    )


def blind_index(ring: KeyRing, purpose: str) -> BlindIndex:
    """Return an index under keys derived from every key of a ring."""
    keys = {key_id: ring.key(key_id) for key_id in ring.key_ids}
    return BlindIndex(current_id=ring.current_id, keys=keys, purpose=purpose)


def _hasher(settings: AuthSettings) -> PasswordHasher:
    return PasswordHasher(
        KeyRing.from_file(settings.pepper_keys_file),
        cost=settings.bcrypt_cost,
        workers=settings.hashing_threads,
        waiting_max=settings.hashing_waiting_max,
    )


def _limits(settings: AuthSettings) -> LoginLimits:
    return LoginLimits(
        pair_free=settings.login_failures_free,
        account_free=settings.login_account_failures_free,
        address_limit=settings.login_address_failures,
    )
