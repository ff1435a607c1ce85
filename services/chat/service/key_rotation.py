"""Re-wraps every data key when the key-encryption key changes, while people write.

Data is not touched. Processes go on with the keys that they have unwrapped, and those
that still hold the older key-encryption key open what is not done yet. Source:
security.md CR-4, ADR 0019.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import msgspec
import structlog

from libs.crypto import DataKeys, DecryptError, KeyUnknownError, WrappedKey
from libs.kernel import Clock
from services.chat.domain.keys import key_context
from services.chat.ports.keys import DataKeyStore, KeyCount, StoredKey

Report = Callable[[str, int, int], None]
"""Called with the work's name, keys done so far, and how many there were to do."""

BATCH = 100
_PASSES_MAX = 5
_WORK = "keys"
_log = structlog.get_logger()


class KeyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Which key-encryption keys are in use.

    Attributes:
        current_kek_id: What new data keys are wrapped under.
        under: Conversations and keys by key-encryption key.
        keys_to_rewrap: Data keys under another one than the current.
        conversations_to_renew: Whose data key the next message replaces.
    """

    current_kek_id: str
    under: tuple[KeyCount, ...]
    keys_to_rewrap: int
    conversations_to_renew: int


class RotationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did.

    Attributes:
        rewrapped: Keys now under the current key-encryption key.
        failed: Keys that did not open; they stay as they were.
        left: Keys under another one afterwards, the failed among them.
    """

    rewrapped: int
    failed: int
    left: int


class KeyRotation:
    """Brings all data keys under the current key-encryption key.

    Args:
        store: Where data keys are kept, wrapped.
        data_keys: Opens what older key-encryption keys wrapped, wraps anew.
        clock: Measures ages.
    """

    def __init__(self, store: DataKeyStore, data_keys: DataKeys, clock: Clock) -> None:
        self._store = store
        self._data_keys = data_keys
        self._clock = clock

    async def status(self, *, revisions: int, age: timedelta) -> KeyStatus:
        """Count what is wrapped under what.

        Args:
            revisions: Changes after which a data key is renewed.
            age: Age at which it is.
        """
        current, under = self._data_keys.current_id, await self._store.census()
        made_before = self._clock.now() - age
        return KeyStatus(
            current_kek_id=current,
            under=tuple(under),
            keys_to_rewrap=sum(c.keys for c in under if c.kek_id != current),
            conversations_to_renew=await self._store.due(
                revisions=revisions, made_before=made_before
            ),
        )

    async def rehearse(self, report: Report) -> RotationResult:
        """Open every key that `rotate` would re-wrap, and store nothing."""
        kek_id, after = self._data_keys.current_id, ""
        total, opened, failed = await self._left(kek_id), 0, 0
        while page := await self._store.page(kek_id, after=after, limit=BATCH):
            results = await asyncio.gather(*map(self._renewed, page))
            failed += results.count(None)
            opened += len(results) - results.count(None)
            after = page[-1].conversation_id
            report(_WORK, opened + failed, total)
        return RotationResult(rewrapped=0, failed=failed, left=opened + failed)

    async def rotate(self, report: Report, *, keys_per_second: float) -> RotationResult:
        """Re-wrap all data keys; goes on where a run that was cut left off.

        Passes are repeated while something moves: a process that has not got the
        new ring yet still wraps under an older key.

        Args:
            report: Told after each batch.
            keys_per_second: Upper bound of the work.

        Raises:
            UnavailableError: Database or key service is out of reach; run it again.
        """
        kek_id = self._data_keys.current_id
        after, done, failed = await self._store.cursor(kek_id), 0, 0
        left = await self._left(kek_id)
        for _ in range(_PASSES_MAX):
            moved, failed = await self._pass(
                kek_id, after, keys_per_second, partial(_tell, report, done, left)
            )
            done, left = done + moved, await self._left(kek_id)
            if left <= failed or not (moved or after):
                break
            after = ""
        return RotationResult(rewrapped=done, failed=failed, left=left)

    async def _pass(
        self,
        kek_id: str,
        after: str,
        keys_per_second: float,
        report: Callable[[int], None],
    ) -> tuple[int, int]:
        moved = failed = 0
        while page := await self._store.page(kek_id, after=after, limit=BATCH):
            started = self._clock.monotonic()
            results = await asyncio.gather(*map(self._rewrap, page))
            moved += results.count(True)
            failed += results.count(None)
            after = page[-1].conversation_id
            await self._store.save_cursor(kek_id, after)
            report(moved + failed)
            took = self._clock.monotonic() - started
            await asyncio.sleep(max(0.0, len(page) / keys_per_second - took))
        await self._store.save_cursor(kek_id, "")
        return moved, failed

    async def _rewrap(self, key: StoredKey) -> bool | None:
        """Tell whether it was stored; None: it did not open."""
        renewed = await self._renewed(key)
        return None if renewed is None else await self._store.replace(key, renewed)

    async def _renewed(self, key: StoredKey) -> WrappedKey | None:
        context = key_context(key.conversation_id)
        try:
            return await self._data_keys.rewrap(key.wrapped, *context)
        except (DecryptError, KeyUnknownError):
            _log.error("data_key_not_rewrapped", conversation_id=key.conversation_id)
            return None

    async def _left(self, kek_id: str) -> int:
        census = await self._store.census()
        return sum(count.keys for count in census if count.kek_id != kek_id)


def _tell(report: Report, before: int, left: int, done: int) -> None:
    report(_WORK, before + done, before + left)
