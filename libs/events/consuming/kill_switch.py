"""Stops a subscription that fails too often, then lets one event through to probe."""

import asyncio
import time
from collections import deque

import structlog

from libs.events import metrics
from libs.events.bus import KillSwitch

_log = structlog.get_logger(__name__)


class Gate:
    """Every event passes here before its handler runs.

    Closed: shut for `pause`, then one probe passes; success opens it, failure shuts
    it again. Without a policy it is always open.
    """

    def __init__(self, policy: KillSwitch | None, subscription: str) -> None:
        self._policy = policy
        self._subscription = subscription
        self._results: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._open = asyncio.Event()
        self._open.set()
        self._probe = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether events pass freely."""
        return self._open.is_set()

    async def enter(self) -> None:
        """Wait until this event may run; while shut, one at a time after the pause."""
        if self._policy is None or self._open.is_set():
            return
        async with self._probe:
            if not self._open.is_set():
                await asyncio.sleep(self._policy.pause.total_seconds())
                self._probing = True
                self._set_open(is_open=True)
                self._results.clear()
                self._failures = 0

    _probing = False

    def record(self, *, is_failure: bool) -> None:
        """Count a handled event; trips when too many of the window failed."""
        if self._policy is None:
            return
        now = time.monotonic()
        self._results.append((now, is_failure))
        self._failures += is_failure
        since = now - self._policy.window.total_seconds()
        while self._results and self._results[0][0] < since:
            _, was_failure = self._results.popleft()
            self._failures -= was_failure
        if self._probing:
            self._probing = False
            if is_failure:
                self._set_open(is_open=False)
        elif self._is_over():
            self._set_open(is_open=False)

    def _is_over(self) -> bool:
        policy = self._policy
        return (
            policy is not None
            and len(self._results) >= policy.minimum
            and self._failures >= policy.ratio * len(self._results)
        )

    def _set_open(self, *, is_open: bool) -> None:
        if is_open:
            self._open.set()
        elif self._open.is_set():
            self._open.clear()
            _log.error("subscription_paused", subscription=self._subscription)
        metrics.kill_switch_open.labels(self._subscription).set(0 if is_open else 1)
