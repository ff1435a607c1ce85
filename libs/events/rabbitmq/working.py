"""A running worker: a consumer and a runner for each of its subscriptions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from libs.events.bus import LiveSubscription, Subscription, Worker
from libs.events.consuming.live import LiveRunner
from libs.events.consuming.ports import Effects, Headers
from libs.events.consuming.runner import Runner
from libs.events.consuming.start import make_runner
from libs.events.names import bindings_of, direct_exchange, live_queue, queue_name
from libs.events.rabbitmq.consumer import Consumer, durable_queue, live_queue_of
from libs.events.rabbitmq.link import Link
from libs.events.rabbitmq.publisher import Publisher
from libs.events.settings import BusSettings

_log = structlog.get_logger(__name__)
_LIVE_PREFETCH = 256


class DirectCourier:
    """`libs.events.consuming.ports.Courier` over the service's direct exchange."""

    def __init__(self, publisher: Publisher, service: str) -> None:
        self._publisher = publisher
        self._exchange = direct_exchange(service)

    async def publish(
        self, routing_key: str, body: bytes, *, event_type: str, headers: Headers
    ) -> None:
        """Publish to one of the service's own queues, confirmed."""
        await self._publisher.publish(
            self._exchange, routing_key, body, event_type=event_type, headers=headers
        )


class WorkerSession:
    """One `run_worker` block."""

    def __init__(
        self,
        worker: Worker,
        settings: BusSettings,
        *,
        link: Link,
        publisher: Publisher,
        effects: Effects | None,
        on_live_change: Callable[[bool], None],
        delay: Callable[[], float],
    ) -> None:
        self._worker = worker
        self._settings = settings
        self._link = link
        self._courier = DirectCourier(publisher, worker.service)
        self._effects = effects
        self._on_live_change = on_live_change
        self._delay = delay
        self._live: list[Consumer] = []
        self._durable: list[Consumer] = []
        self._runners: list[Runner] = []

    @property
    def consumers(self) -> list[Consumer]:
        """Every consumer, durable ones first."""
        return [*self._durable, *self._live]

    @property
    def live_is_connected(self) -> bool:
        """Whether every live subscription has its consumer."""
        return all(consumer.is_consuming for consumer in self._live)

    @asynccontextmanager
    async def running(self, app: object) -> AsyncIterator[None]:
        """Consume until the block is left, then drain."""
        for subscription in self._worker.subscriptions:
            self._durable.append(self._durable_consumer(subscription, app))
        for live in self._worker.live_subscriptions:
            self._live.append(self._live_consumer(live, app))
        tasks = [asyncio.create_task(consumer.run()) for consumer in self.consumers]
        try:
            yield
        finally:
            await self._drain(tasks)

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        """Stop deliveries, finish what runs, hand back the rest, close."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(consumer.cancel() for consumer in self.consumers))
        within = self._settings.drain_timeout.total_seconds()
        await asyncio.gather(*(runner.stop(within) for runner in self._runners))
        await asyncio.gather(*(consumer.close() for consumer in self.consumers))
        _log.info("worker_drained", service=self._worker.service)

    def _durable_consumer(self, subscription: Subscription, app: object) -> Consumer:
        if self._effects is None:
            raise ValueError("a durable subscription needs a database")
        queue = queue_name(self._worker.service, subscription.name)
        runner = make_runner(
            subscription, queue, effects=self._effects, courier=self._courier, app=app
        )
        self._runners.append(runner)
        return Consumer(
            self._link,
            queue,
            declare=durable_queue(queue),
            receive=runner.receive,
            prefetch=subscription.prefetch,
            delay=self._delay,
            is_ordered=subscription.is_ordered,
        )

    def _live_consumer(self, live: LiveSubscription, app: object) -> Consumer:
        service = self._worker.service
        label = f"{service}.live.{live.name}"
        runner = LiveRunner(live, label, app)
        self._runners.append(runner)
        name = live_queue(service, self._settings.instance_id, live.name)
        return Consumer(
            self._link,
            label,
            declare=live_queue_of(
                name, bindings_of(live.events), self._settings.live_max_length
            ),
            receive=runner.receive,
            prefetch=_LIVE_PREFETCH,
            delay=self._delay,
            on_change=self._on_live_change,
        )
