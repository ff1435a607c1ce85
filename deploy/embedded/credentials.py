"""What each part of an installation in containers signs in with, by file's name."""

from dataclasses import dataclass

from deploy.embedded.environment import store_keys
from deploy.embedded.layout import Stack
from deploy.embedded.passwords import ADMIN, BACKUP, SMTP_USER, STORES, Passwords
from deploy.embedded.servers.replica_set import REPLICA_SET, database_of
from deploy.embedded.servers.seaweedfs import access_key


@dataclass(frozen=True)
class Servers:
    """Where the servers are, as the services reach them.

    Attributes:
        mongodb: host:port, or several with commas.
        rabbitmq: Host; the ports are the usual ones.
        redis: host:port.
        replica_set: MongoDB's.
    """

    mongodb: str
    rabbitmq: str
    redis: str
    replica_set: str = REPLICA_SET


def service_secrets(
    servers: Servers, passwords: Passwords, service: str
) -> dict[str, str]:
    """Return the files of one service that hold passwords."""
    rabbit = passwords.of("rabbitmq", service)
    redis = passwords.of("valkey", service)
    values = {
        f"{service}_amqp_url": f"amqp://{service}:{rabbit}@{servers.rabbitmq}:5672/",
        f"{service}_redis_url": f"redis://{service}:{redis}@{servers.redis}/0",
    }
    if service in STORES:
        values[f"{service}_mongo_url"] = _mongo_url(
            servers, passwords, service, database_of(service)
        )
    if service == "media":
        values["s3-credentials.json"] = store_keys(access_key("media"), passwords)
    if service == "notification":
        values["notification_smtp_password"] = passwords.of("smtp", SMTP_USER)
    return values


def broker_step_secrets(servers: Servers, passwords: Passwords) -> dict[str, str]:
    """Return what the step `topology` signs in with."""
    admin = passwords.of("rabbitmq", ADMIN)
    address = f"{ADMIN}:{admin}@{servers.rabbitmq}"
    return {
        "events_admin_amqp_url": f"amqp://{address}:5672/",
        "events_management_url": f"http://{address}:15672",
    }


def database_step_secrets(servers: Servers, passwords: Passwords) -> dict[str, str]:
    """Return what the step `audit-rights` signs in with."""
    return {"audit_admin_mongo_url": _mongo_url(servers, passwords, ADMIN, "admin")}


def backup_secrets(servers: Servers, passwords: Passwords) -> dict[str, str]:
    """Return what backups sign in with; they change nothing with it."""
    return {
        "backup_mongo_url": _mongo_url(servers, passwords, BACKUP, "admin"),
        "s3-credentials.json": store_keys("media", passwords),
    }


def key_files(stack: Stack, service: str) -> dict[str, str]:
    """Return the rings, keys and accounts of one service."""
    return {
        path.name: path.read_text("utf-8")
        for path in (stack.secrets / service).glob("*.json")
    }


def _mongo_url(servers: Servers, passwords: Passwords, user: str, database: str) -> str:
    place = "" if database == "admin" else database
    password = passwords.of("mongodb", user)
    options = f"replicaSet={servers.replica_set}&authSource={database}"
    return f"mongodb://{user}:{password}@{servers.mongodb}/{place}?{options}"
