"""Composition root of notification: everything is opened and put together here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from libs.chassis.app import Lifespan, create_http_app
from libs.chassis.bus import bus_settings
from libs.chassis.health import Check, Health, bus_check
from libs.chassis.live_secrets import live_secret
from libs.chassis.mongo import open_mongo
from libs.chassis.mongo import ping as ping_mongo
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import FieldSealer, WatchedKeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.kernel import Clock, SystemClock
from services.notification.api import NotificationState, router
from services.notification.consumers import worker
from services.notification.delivery.composer import TemplateComposer
from services.notification.delivery.fcm import (
    FcmPushSender,
    FcmSettings,
    NullPushSender,
)
from services.notification.delivery.smtp import SmtpMailSender, SmtpSettings, probe
from services.notification.domain.decision import Timing
from services.notification.ports import (
    ConversationRepository,
    DeliveryRepository,
    DeviceRepository,
    MailSender,
    NotificationRepository,
    PeopleRepository,
    PushSender,
)
from services.notification.repository import (
    Database,
    MongoConversationRepository,
    MongoDeliveryRepository,
    MongoDeviceRepository,
    MongoNotificationRepository,
    MongoPeopleRepository,
    Vault,
    create_indexes,
)
from services.notification.service.accounts import AccountMails
from services.notification.service.desk import Desk, MailDesk, PushDesk
from services.notification.service.dispatch import Dispatcher, Rhythm
from services.notification.service.dossier import Registry
from services.notification.service.erasure import PersonErasure
from services.notification.service.inbound import Inbound
from services.notification.service.intake import MessageIntake
from services.notification.service.lists import InAppLists
from services.notification.settings import NotificationSettings

_LEASE_MARGIN = timedelta(seconds=15)


@dataclass(frozen=True)
class Stores:
    """The repositories; MongoDB's, or the ones in memory."""

    people: PeopleRepository
    conversations: ConversationRepository
    notifications: NotificationRepository
    devices: DeviceRepository
    deliveries: DeliveryRepository


def create_app(settings: NotificationSettings) -> FastAPI:
    """Return the app; its lifespan opens what it needs."""
    health = Health()
    return create_http_app(
        settings,
        lifespan=_lifespan(settings, health),
        routers=[router],
        title="Parley notification",
        health=health,
    )


def _lifespan(settings: NotificationSettings, health: Health) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[NotificationState]:
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            database = await stack.enter_async_context(open_mongo(settings))
            health.add("mongodb", lambda: ping_mongo(database))
            await create_indexes(database)
            stores = _mongo_stores(settings, database)
            bus = await stack.enter_async_context(
                open_bus(bus_settings(settings), database, worker)
            )
            health.add("rabbitmq", bus_check(bus), is_critical=False)
            health.add("smtp", _smtp_check(settings), is_critical=False)
            await stores.deliveries.release(settings.instance_id)
            await stack.enter_async_context(_dispatching(settings, stores, bus, clock))
            await stack.enter_async_context(
                bus.run_worker(worker, inbound(settings, stores, bus, clock))
            )
            yield notification_state(stores, clock)

    return lifespan


@asynccontextmanager
async def _dispatching(
    settings: NotificationSettings, stores: Stores, bus: EventBus, clock: Clock
) -> AsyncIterator[None]:
    """Send what is due until the block is left; what was begun then is finished."""
    async with AsyncExitStack() as stack:
        mail = SmtpMailSender(_smtp_settings(settings), clock)
        stack.push_async_callback(mail.close)
        push = _push_sender(settings, clock)
        stack.push_async_callback(push.close)
        tasks = await stack.enter_async_context(TaskSupervisor())
        for dispatcher in dispatchers(
            settings, stores, bus=bus, mail=mail, push=push, clock=clock
        ):
            tasks.start(f"dispatch_{dispatcher.channel}", dispatcher.run)
            stack.push_async_callback(dispatcher.stop)
        yield


def _mongo_stores(settings: NotificationSettings, database: Database) -> Stores:
    vault = Vault(WatchedKeyRing(settings.storage_keys_file))
    return Stores(
        people=MongoPeopleRepository(database, vault),
        conversations=MongoConversationRepository(database, vault),
        notifications=MongoNotificationRepository(database),
        devices=MongoDeviceRepository(database, vault),
        deliveries=MongoDeliveryRepository(database, vault),
    )


def _smtp_check(settings: NotificationSettings) -> Check:
    async def check() -> None:
        await probe(settings.smtp_host, settings.smtp_port, is_tls=settings.smtp_tls)

    return check


def dispatchers(
    settings: NotificationSettings,
    stores: Stores,
    *,
    bus: EventBus,
    mail: MailSender,
    push: PushSender,
    clock: Clock,
) -> list[Dispatcher]:
    """Return the dispatchers, one a channel, over any adapters."""
    registry = Registry(
        people=stores.people,
        conversations=stores.conversations,
        devices=stores.devices,
        deliveries=stores.deliveries,
    )
    return [
        Dispatcher(
            desk=desk,
            registry=registry,
            deliveries=stores.deliveries,
            bus=bus,
            clock=clock,
            timing=timing(settings),
            rhythm=_rhythm(settings),
        )
        for desk in _desks(settings, stores, mail, push, clock)
    ]


def _desks(
    settings: NotificationSettings,
    stores: Stores,
    mail: MailSender,
    push: PushSender,
    clock: Clock,
) -> list[Desk]:
    composer = TemplateComposer(settings.public_url)
    return [
        MailDesk(
            composer=composer,
            sender=mail,
            deliveries=stores.deliveries,
            clock=clock,
            group_size=settings.smtp_connections,
        ),
        PushDesk(
            composer=composer,
            sender=push,
            devices=stores.devices,
            group_size=settings.fcm_batch,
        ),
    ]


def inbound(
    settings: NotificationSettings, stores: Stores, bus: EventBus, clock: Clock
) -> Inbound:
    """Return what the consumers work with; opens nothing but key files."""
    return Inbound(
        intake=MessageIntake(
            conversations=stores.conversations,
            people=stores.people,
            notifications=stores.notifications,
            devices=stores.devices,
            deliveries=stores.deliveries,
            clock=clock,
            timing=timing(settings),
        ),
        accounts=AccountMails(deliveries=stores.deliveries, clock=clock),
        people=stores.people,
        conversations=stores.conversations,
        message_sealer=FieldSealer(
            WatchedKeyRing(settings.message_transport_keys_file)
        ),
        account_sealer=FieldSealer(
            WatchedKeyRing(settings.account_transport_keys_file)
        ),
        erasure=PersonErasure(
            bus=bus,
            people=stores.people,
            notifications=stores.notifications,
            devices=stores.devices,
            deliveries=stores.deliveries,
        ),
    )


def notification_state(stores: Stores, clock: Clock) -> NotificationState:
    """Return what the routes work with."""
    return NotificationState(
        lists=InAppLists(
            notifications=stores.notifications,
            conversations=stores.conversations,
            people=stores.people,
        ),
        devices=stores.devices,
        people=stores.people,
        clock=clock,
    )


def timing(settings: NotificationSettings) -> Timing:
    """Return the waiting times of the settings."""
    return Timing(
        online_grace=timedelta(seconds=settings.online_grace_seconds),
        email_delay=timedelta(seconds=settings.email_delay_seconds),
        email_patience=timedelta(seconds=settings.email_patience_seconds),
        push_lifetime=timedelta(seconds=settings.push_lifetime_seconds),
        email_lifetime=timedelta(seconds=settings.email_lifetime_seconds),
    )


def _rhythm(settings: NotificationSettings) -> Rhythm:
    """Derive the lease from the longest time that one hand-over takes."""
    mail_seconds = settings.smtp_timeout_seconds * 2 + settings.smtp_data_seconds
    push_seconds = settings.fcm_timeout_seconds * 4
    send_limit = timedelta(seconds=max(mail_seconds, push_seconds))
    return Rhythm(
        holder=settings.instance_id,
        lease=send_limit + _LEASE_MARGIN,
        poll=timedelta(seconds=settings.poll_seconds),
        send_limit=send_limit,
    )


def _smtp_settings(settings: NotificationSettings) -> SmtpSettings:
    has_password = settings.smtp_password is not None
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        username=settings.smtp_username,
        password=live_secret(settings, "smtp_password") if has_password else None,
        starttls=settings.smtp_starttls and not settings.smtp_tls,
        tls=settings.smtp_tls,
        ca_file=settings.smtp_ca_file,
        timeout_seconds=settings.smtp_timeout_seconds,
        data_seconds=settings.smtp_data_seconds,
        connections=settings.smtp_connections,
    )


def _push_sender(
    settings: NotificationSettings, clock: Clock
) -> FcmPushSender | NullPushSender:
    if settings.fcm_credentials_file is None:
        return NullPushSender()
    fcm = FcmSettings(
        credentials_file=settings.fcm_credentials_file,
        project_id=settings.fcm_project_id,
        timeout_seconds=settings.fcm_timeout_seconds,
        token_seconds=settings.fcm_timeout_seconds * 2,
    )
    return FcmPushSender(fcm, f"notification-{settings.instance_id}", clock)
