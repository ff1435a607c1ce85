"""Counters and announcements in Redis, and their twins in memory."""

from services.auth.cache.announcer import MemoryAnnouncer, RedisAnnouncer
from services.auth.cache.memory import MemoryLoginThrottle, MemoryMailThrottle
from services.auth.cache.throttle import (
    LoginLimits,
    RedisLoginThrottle,
    RedisMailThrottle,
    ThrottleKeys,
)

__all__ = [
    "LoginLimits",
    "MemoryAnnouncer",
    "MemoryLoginThrottle",
    "MemoryMailThrottle",
    "RedisAnnouncer",
    "RedisLoginThrottle",
    "RedisMailThrottle",
    "ThrottleKeys",
]
