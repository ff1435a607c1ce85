"""Redis: presence and typing; all of it may be lost. The one place of its keys."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from redis.asyncio import Redis

from libs.chassis.buckets import RedisBuckets
from libs.chassis.redis import map_redis_errors
from libs.kernel import Clock, ConversationId, UserId
from services.chat.ports import PresenceState

TYPING_CHANNEL = "chat:typing"
REMOVAL_CHANNEL = "chat:removed"
DUE_KEY = "chat:presence-due"
LAST_SEEN_SECONDS = 30 * 24 * 3600

# KEYS: devices of the user, users by the time their first device is due, when the
#   user was last seen.
# ARGV: now ms, user, device or '', status or '', expiry ms, '1' or '0' where it is
#   known whether that time may be kept, else ''.
# Where it is not known, a time that is kept tells that the user once allowed it.
# A device's field is "<status>:<expiry ms>"; answers the status before and after.
_PRESENCE = """
local function status_of(fields, now)
  local status, first = 'offline', nil
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 1) ~= '@' then
      local split = string.find(fields[i + 1], ':', 1, true)
      local expiry = tonumber(string.sub(fields[i + 1], split + 1))
      if expiry <= now then
        redis.call('HDEL', KEYS[1], fields[i])
      else
        local own = string.sub(fields[i + 1], 1, split - 1)
        if own == 'online' or status == 'offline' then status = own end
        if first == nil or expiry < first then first = expiry end
      end
    end
  end
  return status, first
end
local now = tonumber(ARGV[1])
local before = redis.call('HGET', KEYS[1], '@last') or 'offline'
if ARGV[3] ~= '' then
  if ARGV[4] == '' then
    redis.call('HDEL', KEYS[1], ARGV[3])
  else
    redis.call('HSET', KEYS[1], ARGV[3], ARGV[4] .. ':' .. ARGV[5])
  end
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], '@shows', ARGV[6])
elseif ARGV[4] ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('HSETNX', KEYS[1], '@shows', '1')
end
if ARGV[6] == '0' then redis.call('DEL', KEYS[3]) end
local after, first = status_of(redis.call('HGETALL', KEYS[1]), now)
if after == 'offline' then
  if before == 'offline' then
    -- Nobody left: what is kept stays.
  elseif redis.call('HGET', KEYS[1], '@shows') == '1' then
    redis.call('SET', KEYS[3], now, 'EX', LAST_SEEN_SECONDS)
  else
    redis.call('DEL', KEYS[3])
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[1], '@last', after)
  redis.call('ZADD', KEYS[2], first, ARGV[2])
end
return {before, after}
""".replace("LAST_SEEN_SECONDS", str(LAST_SEEN_SECONDS))


def open_buckets(redis: Redis) -> RedisBuckets:
    """Return the limits of users that all processes share."""
    return RedisBuckets(redis, limit_key)


def limit_key(subject: str) -> str:
    """Return the key of a limit's arrival time."""
    return f"chat:limit:{subject}"


def presence_key(user_id: UserId) -> str:
    """Return the key of a user's devices."""
    return f"chat:presence:{user_id}"


def last_seen_key(user_id: UserId) -> str:
    """Return the key of when a user was last seen, who lets it be known."""
    return f"chat:last-seen:{user_id}"


class RedisPresenceStore:
    """Implements `PresenceStore`; each change is one script, so none is told twice."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._script = redis.register_script(_PRESENCE)

    async def beat(
        self,
        user_id: UserId,
        device: str,
        status: str,
        *,
        ttl_seconds: float,
        keeps_last_seen: bool | None = None,
    ) -> tuple[str, str]:
        """Record a heartbeat; return the user's status before and after."""
        expiry = self._now_ms() + int(ttl_seconds * 1000)
        keeps = "" if keeps_last_seen is None else str(int(keeps_last_seen))
        return await self._run(user_id, device, status, expiry, keeps)

    async def keep_last_seen(self, user_id: UserId, *, keeps: bool) -> None:
        """Say whether the time of leaving may be kept; what is kept goes if not."""
        await self._run(user_id, "", "", 0, str(int(keeps)))

    async def states(self, user_ids: Sequence[UserId]) -> dict[UserId, PresenceState]:
        """Return the presence of each of the users, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipeline.hmget(presence_key(user_id), "@last", "@shows")
            pipeline.get(last_seen_key(user_id))
        with map_redis_errors():
            found: list[Any] = await pipeline.execute()
        return {
            user_id: _state(hash_fields[0], hash_fields[1], seen)
            for user_id, hash_fields, seen in zip(
                user_ids, found[::2], found[1::2], strict=True
            )
        }

    async def leave(self, user_id: UserId, device: str) -> tuple[str, str]:
        """Forget a device; return the user's status before and after."""
        return await self._run(user_id, device, "", 0)

    async def expired(self, *, limit: int) -> list[tuple[UserId, str]]:
        """Forget silent devices; return whose status changed by it, and to what."""
        with map_redis_errors():
            due: Any = await self._redis.zrange(  # bytes: the pool decodes nothing
                DUE_KEY, "-inf", self._now_ms(), byscore=True, offset=0, num=limit
            )
        changed = []
        for raw in due:
            user_id = UserId(raw.decode())
            before, after = await self._run(user_id, "", "", 0)
            if before != after:
                changed.append((user_id, after))
        return changed

    async def _run(
        self,
        user_id: UserId,
        device: str,
        status: str,
        expiry_ms: int,
        keeps: str = "",
    ) -> tuple[str, str]:
        with map_redis_errors():
            before, after = await self._script(
                keys=[presence_key(user_id), DUE_KEY, last_seen_key(user_id)],
                args=[self._now_ms(), user_id, device, status, expiry_ms, keeps],
            )
        return before.decode(), after.decode()

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _state(
    status: bytes | None, shows: bytes | None, seen: bytes | None
) -> PresenceState:
    """A time is told of those who are gone alone."""
    keeps = shows == b"1" or seen is not None
    if status is not None:
        return PresenceState(status.decode(), keeps_last_seen=keeps)
    at = None if seen is None else datetime.fromtimestamp(int(seen) / 1000, UTC)
    return PresenceState("offline", at, keeps_last_seen=keeps)


class RedisTypingChannel:
    """Implements `TypingChannel`; every process listens to one channel."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, conversation_id: ConversationId, user_id: UserId) -> None:
        """Tell the other processes, and this one."""
        with map_redis_errors():
            await self._redis.publish(
                TYPING_CHANNEL, orjson.dumps([conversation_id, user_id])
            )

    async def listen(self, hear: Callable[[ConversationId, UserId], None]) -> None:
        """Call back for each one who types, until cancelled.

        Raises:
            UnavailableError: The connection was lost; to be called again.
        """
        async for conversation_id, user_id in _heard(self._redis, TYPING_CHANNEL):
            hear(ConversationId(conversation_id), UserId(user_id))


class RedisRemovalChannel:
    """Implements `RemovalChannel`; every process listens to one channel."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(
        self, conversation_id: ConversationId, user_id: UserId, revision: int
    ) -> None:
        """Tell the other processes, and this one."""
        with map_redis_errors():
            await self._redis.publish(
                REMOVAL_CHANNEL, orjson.dumps([conversation_id, user_id, revision])
            )

    async def listen(self, hear: Callable[[ConversationId, UserId, int], None]) -> None:
        """Call back for each one who was removed, until cancelled.

        Raises:
            UnavailableError: The connection was lost; to be called again.
        """
        async for place, user_id, revision in _heard(self._redis, REMOVAL_CHANNEL):
            hear(ConversationId(place), UserId(user_id), revision)


async def _heard(redis: Redis, channel: str) -> AsyncIterator[Any]:
    """Yield what is published on a channel, decoded, until the connection is lost."""
    with map_redis_errors():
        async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel)
            while True:
                message = await subscription.get_message(timeout=1.0)
                if message is not None:
                    yield orjson.loads(message["data"])
