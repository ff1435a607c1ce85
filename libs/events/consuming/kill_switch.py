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

    Shut, it waits for `pause` and lets one event through as a probe: its success opens
    the gate, its failure keeps it shut for another pause. Without a policy it is always
    open.
    """

    def __init__(self, policy: KillSwitch | None, subscription: str) -> None:
        self._policy = policy
        self._subscription = subscription
        self._results: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._is_pausing = False
        self._has_probe = False
        self._changed = asyncio.Event()
        self.is_open = True

    async def enter(self) -> None:
        """Wait until this event may run; returns at once while the gate is open."""
        while not self.is_open and self._policy is not None:
            if self._is_pausing or self._has_probe:
                await self._changed.wait()
                continue
            self._is_pausing = True
            await asyncio.sleep(self._policy.pause.total_seconds())
            self._is_pausing, self._has_probe = False, True
            return

    def record_success(self, count: int) -> None:
        """Count events that were handled without a failure."""
        if self._policy is not None:
            for _ in range(count):
                self.record(is_failure=False)

    def record(self, *, is_failure: bool) -> None:
        """Count a handled event; trips when too many of the window failed."""
        if self._policy is None:
            return
        if not self.is_open:
            self._judge_probe(is_failure=is_failure)
            return
        now = time.monotonic()
        self._results.append((now, is_failure))
        self._failures += is_failure
        since = now - self._policy.window.total_seconds()
        while self._results[0][0] < since:
            _, was_failure = self._results.popleft()
            self._failures -= was_failure
        if len(
            self._results
        ) >= self._policy.minimum and self._failures >= self._policy.ratio * len(
            self._results
        ):
            self._set(is_open=False)

    def _judge_probe(self, *, is_failure: bool) -> None:
        """Open after a success; events that still ran when it tripped do not count."""
        if not self._has_probe:
            return
        self._has_probe = False
        if not is_failure:
            self._results.clear()
            self._failures = 0
            self._set(is_open=True)
        self._changed.set()
        self._changed = asyncio.Event()

    def _set(self, *, is_open: bool) -> None:
        self.is_open = is_open
        metrics.of(metrics.kill_switch_open, self._subscription).set(int(not is_open))
        if is_open:
            _log.info("subscription_resumed", subscription=self._subscription)
        else:
            _log.error("subscription_paused", subscription=self._subscription)
