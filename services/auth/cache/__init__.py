"""Counters and announcements in Redis, and their twins in memory."""

from services.auth.cache.announcer import MemoryAnnouncer, RedisAnnouncer
from services.auth.cache.keys import ThrottleKeys
from services.auth.cache.limits import GuessLimits
from services.auth.cache.memory import MemoryGuessThrottle, MemoryMailThrottle
from services.auth.cache.throttle import RedisGuessThrottle, RedisMailThrottle

__all__ = [
    "GuessLimits",
    "MemoryAnnouncer",
    "MemoryGuessThrottle",
    "MemoryMailThrottle",
    "RedisAnnouncer",
    "RedisGuessThrottle",
    "RedisMailThrottle",
    "ThrottleKeys",
]
