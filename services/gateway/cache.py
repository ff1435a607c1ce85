"""Redis: rate limits. The one place of its keys."""

from redis.asyncio import Redis

from libs.chassis.buckets import RedisBuckets


def open_buckets(redis: Redis) -> RedisBuckets:
    """Return the limits that all gateways share."""
    return RedisBuckets(redis, limit_key)


def limit_key(subject: str) -> str:
    """Return the key of a limit's arrival time."""
    return f"gateway:limit:{subject}"
