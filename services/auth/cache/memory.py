"""The counters in memory, for tests: one process, the injected clock."""

from collections import defaultdict

from libs.kernel import Clock, new_id
from services.auth.cache.limits import (
    RUNNING_WAIT_SECONDS,
    GuessLimits,
    limits_of,
    throttled,
)
from services.auth.domain import (
    EmailAddress,
    Guess,
)
from services.auth.domain.guess import network_of


class MemoryGuessThrottle:
    """The same counting for one process, by the injected clock."""

    def __init__(self, clock: Clock, limits: GuessLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or GuessLimits()
        self._failures: dict[str, int] = defaultdict(int)
        self._wrong: dict[str, int] = defaultdict(int)
        self._last: dict[str, float] = {}
        self._running: dict[str, dict[str, float]] = defaultdict(dict)
        self._failed: dict[str, list[float]] = defaultdict(list)

    async def begin(self, guess: Guess) -> "MemoryAttempt":
        """Admit and count an attempt; see `GuessThrottle.begin`."""
        limits = limits_of(guess.purpose, self._limits)
        client = network_of(guess.client_address)
        network = f"{guess.purpose}|{client}"
        account = f"{guess.purpose}|{guess.subject or client}"
        keys = (f"{account}|{client}", account)
        now = self._clock.monotonic()
        wait = max(
            self._wait_of(keys[0], limits.pair_free, 1, now),
            self._wait_of(
                keys[1], limits.account_free, limits.account_delay_seconds, now
            ),
            self._wait_of_address(network, now),
        )
        if wait > 0:
            raise throttled(guess.purpose, wait)
        for key in keys:
            self._failures[key] += 1
            self._last[key] = now
        wrong_before = self._wrong[account]
        attempt = MemoryAttempt(self, keys, network, new_id(), wrong_before)
        self._running[network][attempt.attempt_id] = now
        return attempt

    def end(self, attempt: "MemoryAttempt", *, is_success: bool) -> None:
        """Take back an attempt, and on success every failure of the account."""
        self._running[attempt.network].pop(attempt.attempt_id, None)
        for key in attempt.keys:
            left = 0 if is_success else max(0, self._failures[key] - 1)
            self._failures[key] = left
        if is_success:
            self._wrong.pop(attempt.keys[1], None)

    def keep(self, attempt: "MemoryAttempt") -> None:
        """Count an attempt as failed for its client address."""
        begun = self._running[attempt.network].pop(attempt.attempt_id)
        self._failed[attempt.network].append(begun)
        self._wrong[attempt.keys[1]] += 1

    def _wait_of(self, key: str, free: int, first: int, now: float) -> float:
        surplus = self._failures[key] - free
        if surplus < 0:
            return 0
        longest = max(self._limits.delay_max_seconds, first)
        delay = min(longest, first << min(surplus, 30))
        return self._last[key] + delay - now

    def _wait_of_address(self, network: str, now: float) -> float:
        window = self._limits.address_window_seconds
        failed = [at for at in self._failed[network] if at > now - window]
        running = [at for at in self._running[network].values() if at > now - window]
        if len(failed) >= self._limits.address_limit:
            return min(failed) + window - now
        is_full = len(failed) + len(running) >= self._limits.address_limit
        return RUNNING_WAIT_SECONDS if is_full else 0


class MemoryAttempt:
    """See `Attempt`."""

    def __init__(
        self,
        throttle: MemoryGuessThrottle,
        keys: tuple[str, str],
        network: str,
        attempt_id: str,
        wrong_before: int,
    ) -> None:
        self._throttle = throttle
        self.keys = keys
        self.network = network
        self.attempt_id = attempt_id
        self.wrong_before = wrong_before

    async def failed(self) -> None:
        """Count it for the client address."""
        self._throttle.keep(self)

    async def succeeded(self) -> None:
        """Clear the account's failures."""
        self._throttle.end(self, is_success=True)

    async def withdraw(self) -> None:
        """Uncount it."""
        self._throttle.end(self, is_success=False)


class MemoryMailThrottle:
    """Counts mails for ever; enough for a test."""

    def __init__(self, limit: int = 5) -> None:
        self._limit = limit
        self._counts: dict[str, int] = defaultdict(int)

    async def is_admitted(self, email: EmailAddress) -> bool:
        """Count one mail; see `MailThrottle.is_admitted`."""
        self._counts[email.key] += 1
        return self._counts[email.key] <= self._limit
