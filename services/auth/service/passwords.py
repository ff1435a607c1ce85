"""Password hashing off the event loop (PW-1, PW-6).

bcrypt reads 72 bytes and stops at NUL, so it is given 64 characters of base64: the
HMAC-SHA384 of the password under a pepper that is never in the database. A stolen
database alone cannot be attacked by guessing.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, Self, TypeVar

import bcrypt
import structlog

from libs.crypto import KeyRing, KeyUnknownError
from libs.kernel import UnavailableError
from services.auth.domain import normalise_password

_SCHEME = "v=1"
_NICENESS = 5
_log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


def _give_way() -> None:
    """Let the event loop go first where both want a core; once in each thread."""
    with suppress(OSError):  # a sandbox may forbid it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class PasswordHasher:
    """Hashes and checks passwords in a bounded pool of threads.

    bcrypt releases the interpreter's lock, so threads use every core. What is
    stored is ``v=1$<pepper id>$<bcrypt>``.

    Args:
        peppers: Ring whose current key peppers new hashes.
        cost: bcrypt's logarithmic cost; 12 takes about 0.2 s.
        workers: Threads, as many as there are cores.
        waiting_max: Requests that may wait for a thread; one more is refused at
            once instead of answered too late.
    """

    def __init__(
        self, peppers: KeyRing, *, cost: int, workers: int, waiting_max: int
    ) -> None:
        self._peppers = peppers
        self._cost = cost
        self._capacity = workers + waiting_max
        self._pending = 0
        self._pool = ThreadPoolExecutor(
            workers, thread_name_prefix="bcrypt", initializer=_give_way
        )
        # What an unknown account is checked against, so that it costs the same.
        self._dummy = self._hash(secrets.token_bytes(32))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let running hashes end and drop waiting ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return the form that is stored.

        Raises:
            PasswordInvalidError: It cannot be hashed at all; nothing was computed.
            UnavailableError: Too many requests wait for a thread.
        """
        return await self._run(self._hash, normalise_password(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Tell whether a password is the stored one, in the same time either way.

        Args:
            password: As typed.
            stored: None for an account that does not exist.

        Raises:
            PasswordInvalidError: It cannot be hashed at all; nothing was computed.
            UnavailableError: Too many requests wait for a thread.
        """
        encoded = normalise_password(password)
        is_match = await self._run(self._matches, encoded, stored or self._dummy)
        return is_match and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether scheme, pepper or cost is not the current one."""
        prefix = f"{_SCHEME}${self._peppers.current_id}$"
        if not stored.startswith(prefix):
            return True
        return stored[len(prefix) :].split("$")[2:3] != [f"{self._cost:02d}"]

    def _hash(self, encoded: bytes) -> str:
        pepper_id = self._peppers.current_id
        digest = bcrypt.hashpw(
            self._prehash(encoded, pepper_id), bcrypt.gensalt(self._cost)
        )
        return f"{_SCHEME}${pepper_id}${digest.decode()}"

    def _matches(self, encoded: bytes, stored: str) -> bool:
        scheme, _, rest = stored.partition("$")
        pepper_id, _, digest = rest.partition("$")
        try:
            if scheme == _SCHEME:
                return bcrypt.checkpw(
                    self._prehash(encoded, pepper_id), digest.encode()
                )
        except (KeyUnknownError, ValueError):
            _log.warning("password_hash_unreadable", pepper_id=pepper_id)
        self._spend_time(encoded)
        return False

    def _spend_time(self, encoded: bytes) -> None:
        """Cost what a comparison costs, where there is nothing to compare with."""
        digest = self._dummy.split("$", 2)[2]
        prehash = base64.b64encode(hashlib.sha384(encoded).digest())
        bcrypt.checkpw(prehash, digest.encode())

    def _prehash(self, encoded: bytes, pepper_id: str) -> bytes:
        digest = hmac.digest(self._peppers.key(pepper_id), encoded, hashlib.sha384)
        return base64.b64encode(digest)

    async def _run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._pending >= self._capacity:
            raise UnavailableError(
                "sign_in_busy", "Too many sign-ins at once.", retry_after_seconds=1
            )
        self._pending += 1
        loop = asyncio.get_running_loop()
        work: Future[T] = self._pool.submit(function, *args, **kwargs)
        # Counted until the thread is free, also when the caller has gone away.
        work.add_done_callback(lambda _: self._release(loop))
        return await asyncio.wrap_future(work)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._pending -= 1
