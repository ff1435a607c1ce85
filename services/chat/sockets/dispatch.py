"""From a client's frame to its handler and back to the acknowledgement."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from opentelemetry import trace

from libs.chassis.audit import Refusals
from libs.chassis.origins import Origin, bind_origin
from libs.chassis.problems import expected
from libs.events.tracing import causation_id, correlation_id
from libs.kernel import (
    AppError,
    Clock,
    InvalidError,
    RateLimitedError,
    UnavailableError,
    new_id,
)
from services.chat.sockets.client import Client
from services.chat.sockets.event_log import EventLog
from services.chat.sockets.frames import (
    ClientEvent,
    FrameInvalidError,
    encode_ack,
    encode_resync,
    error_result,
    parse_event,
)
from services.chat.sockets.payloads import Payload
from services.chat.sockets.rates import Gcra, UserRates, require_rate

IN_FLIGHT_MAX = 256
_PENALTY_SECONDS = 10.0
_log = structlog.get_logger()

Handle = Callable[[Client, Any], Awaitable[object]]  # the payload is the route's


@dataclass(frozen=True)
class Route:
    """What an event name leads to.

    Attributes:
        rate: Which of the rates counts it.
        cost: What of the user's own budget of reads a payload takes.
    """

    payload: type[Payload]
    handle: Handle
    rate: str = "events"
    cost: Callable[[Any], int] | None = None


@dataclass(frozen=True)
class EventRates:
    """Rates of one socket: events a second and burst, by kind.

    Attributes:
        reads: Conversations a second and burst, of all sockets of one user.
        violations: Seconds in a row over a rate after which the socket is closed.
    """

    events: tuple[float, int] = (10.0, 30)
    messages: tuple[float, int] = (10.0, 30)
    subscriptions: tuple[float, int] = (5.0, 20)
    typing: tuple[float, int] = (0.5, 3)
    reads: tuple[float, int] = (200.0, 2_000)
    violations: int = 3

    def limiter(self, kind: str) -> Gcra:
        """Return a fresh limiter of one kind."""
        per_second, burst = getattr(self, kind)
        return Gcra(per_second, burst)


class Dispatcher:
    """Runs the handlers of events; nothing a client sends ends its process.

    Args:
        routes: Every event that is served, by name.
        rates: See `EventRates`.
        clock: Measures rates.
        refusals: Keeps what was forbidden; None: nobody does.
    """

    def __init__(
        self,
        routes: dict[str, Route],
        rates: EventRates,
        clock: Clock,
        refusals: Refusals | None = None,
    ) -> None:
        self._decoders = {
            name: msgspec.json.Decoder(route.payload) for name, route in routes.items()
        }
        # Here, not at import: until a provider is set one gets a go-between.
        self._tracer = trace.get_tracer("services.chat")
        self._routes = routes
        self._rates = rates
        self._clock = clock
        self._refusals = refusals
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._reads = UserRates(*rates.reads)
        self._told = EventLog(list(routes))

    @property
    def rates(self) -> EventRates:
        """The rates of every socket."""
        return self._rates

    def on_event(self, client: Client, text: str) -> None:
        """Take the text of an EVENT packet; the answer follows by itself."""
        try:
            event = parse_event(text)
        except FrameInvalidError as error:
            self._refuse(client, error.ack_id, error, "-")
            return
        try:
            payload = self._checked(client, event)
        except AppError as error:
            self._refuse(client, event.ack_id, error, event.name)
            return
        client.in_flight += 1
        client.events += 1
        task = asyncio.get_running_loop().create_task(self._run(client, event, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse_new(self) -> None:
        """Refuse every event from now on: the process stops."""
        self._is_draining = True

    async def drain(self, timeout_seconds: float | None = None) -> None:
        """Wait for the handlers that run to answer."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout_seconds)

    def _checked(self, client: Client, event: ClientEvent) -> Payload:
        if self._is_draining:
            raise UnavailableError("draining", "This server is stopping.")
        route = self._routes.get(event.name)
        self._check_rate(client, route.rate if route else "events")
        if route is None:
            raise InvalidError("event_unknown", "There is no such event.")
        if client.in_flight >= IN_FLIGHT_MAX:
            raise RateLimitedError(
                "rate_limited", "Too many events are open.", retry_after_seconds=0.5
            )
        try:
            payload: Payload = self._decoders[event.name].decode(event.payload)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise InvalidError(
                "payload_invalid", "The payload has another shape."
            ) from error
        if route.cost is not None:
            now = self._clock.monotonic()
            reads = self._reads.of(client.user_id, now)
            self._require(client, reads, now, route.cost(payload))
        return payload

    def _check_rate(self, client: Client, kind: str) -> None:
        limiter = client.limiters.get(kind)
        if limiter is None:
            limiter = client.limiters[kind] = self._rates.limiter(kind)
        self._require(client, limiter, self._clock.monotonic())

    def _require(
        self, client: Client, limiter: Gcra, now: float, cost: int = 1
    ) -> None:
        def on_refused() -> None:
            if client.violations.is_too_many(now):
                client.close([encode_resync("rate_limited", _PENALTY_SECONDS)])

        require_rate(limiter, now, on_refused, cost)

    async def _run(self, client: Client, event: ClientEvent, payload: Payload) -> None:
        cause, started = new_id(), self._clock.monotonic()
        correlation_id.set(cause)
        causation_id.set(cause)
        bind_origin(_origin_of(client))
        try:
            with self._tracer.start_as_current_span(f"socket {event.name}"):
                result = await self._routes[event.name].handle(client, payload)
                now = self._clock.monotonic()
                self._told.handled(
                    client, event.name, started=started, now=now, cause=cause
                )
        except Exception as error:  # noqa: BLE001 - the edge: a socket event's last resort
            known = expected(error)
            if known is None:
                _log.exception("socket_event_failed", event_name=event.name)
                known = AppError("internal", "Something went wrong here.")
            await self._record(known, event.name, payload)
            self._refuse(client, event.ack_id, known, event.name)
        else:
            if event.ack_id:
                client.socket.send_frame(encode_ack(event.ack_id, result))
        finally:
            client.in_flight -= 1

    async def _record(self, error: AppError, name: str, payload: Payload) -> None:
        if self._refusals is not None:
            fields = ((n, getattr(payload, n)) for n in payload.__struct_fields__)
            texts = {n: value for n, value in fields if isinstance(value, str)}
            await self._refusals.record(error, f"socket {name}", texts)

    def _refuse(self, client: Client, ack_id: str, error: AppError, name: str) -> None:
        self._told.refused(name, error.code)
        if ack_id:
            client.socket.send_frame(encode_ack(ack_id, error_result(error)))


def _origin_of(client: Client) -> Origin:
    return Origin(client.user_id, client.session_id, client.socket.client_address)
