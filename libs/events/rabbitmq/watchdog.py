"""Notices a subscription that cannot get its consumer back."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from libs.events.rabbitmq.consumer import Consumer

_log = structlog.get_logger(__name__)


class Watchdog:
    """Tells, once, that a subscription has had no consumer for too long.

    Readiness is red long before (`BusSettings.consumer_grace`). This is for what only a
    new process cures: a driver that hangs, a connection that is half dead.

    Args:
        consumers: Returns those that should consume now.
        after: How long one may be without; None never gives up.
    """

    def __init__(
        self, consumers: Callable[[], Sequence[Consumer]], after: timedelta | None
    ) -> None:
        self._consumers = consumers
        self._after = after
        self._callbacks: list[Callable[[str], None]] = []

    def add(self, callback: Callable[[str], None]) -> None:
        """Call back with the label of the subscription that is given up."""
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Watch until a subscription is given up, or until cancelled."""
        if self._after is None:
            return
        limit = self._after.total_seconds()
        while True:
            late = [c.label for c in self._consumers() if c.seconds_without > limit]
            if late:
                _log.critical("subscription_given_up", subscription=late[0])
                for callback in self._callbacks:
                    callback(late[0])
                return
            await asyncio.sleep(min(1.0, limit / 4))
