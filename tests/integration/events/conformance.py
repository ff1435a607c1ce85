"""What every bus promises; run on the one in memory and on RabbitMQ with MongoDB."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

from libs.events import KillSwitch, PermanentError, Retry, RetryAfter, Worker
from libs.events.catalog import ConversationRead, MessageDeleted, UserSuspended
from libs.events.envelope import encode_event, encode_frame
from libs.events.tracing import Cause, caused_by, correlation_id
from libs.kernel import ConflictError, EventId, UnavailableError, new_id

QUICK = Retry(immediate=1, delays=("1s",))


def read(number, conversation="c"):
    """Make an event with a number."""
    return ConversationRead(conversation_id=conversation, user_id="u", read_seq=number)


def deleted(revision, conversation="c"):
    """Make an event with a revision."""
    return MessageDeleted(
        conversation_id=conversation,
        message_id="m",
        seq=1,
        revision=revision,
        deleted_by="u",
    )


class Rig(ABC):
    """A bus under test with one producing and any number of consuming services."""

    @abstractmethod
    def worker(self, name="consumer") -> Worker:
        """Declare a worker of a consuming service."""

    @abstractmethod
    def consuming(self, worker, app=None) -> AbstractAsyncContextManager[object]:
        """Run a worker; yields the bus it runs on."""

    @property
    @abstractmethod
    def bus(self):
        """The producer's bus."""

    @abstractmethod
    async def dead_letters(self, worker, name) -> list[dict]:
        """Return the headers of a subscription's dead letters."""

    @abstractmethod
    async def send_raw(self, exchange, routing_key, body) -> None:
        """Publish bytes as a foreign producer would."""

    @abstractmethod
    async def parked(self, worker, key, count) -> None:
        """Wait until so many events of a key are parked."""

    @abstractmethod
    async def release(self, worker, key) -> None:
        """Let a parked key go on, as an operator."""

    def frame_of(self, *events) -> bytes:
        """Encode events as a foreign producer would, with ids of their own."""
        cause = Cause(None, None, None)
        return encode_frame(
            encode_event(
                event,
                EventId(new_id()),
                source="/foreign",
                time=datetime.now(UTC),
                cause=cause,
            )
            for event in events
        )

    async def send_alone(self, event):
        """Publish an event in a frame of its own."""
        frame = self.frame_of(event)
        await self.send_raw(event.event_exchange(), event.event_type, frame)

    async def publish(self, *events):
        """Publish events in one transaction; returns their ids."""
        async with self.bus.transaction() as transaction:
            return [transaction.publish(event) for event in events]

    async def until(self, condition, seconds=20.0):
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.01)


class BusConformance:
    """Cases of the reference's list; a subclass gives the `rig` fixture."""

    async def test_an_event_reaches_every_subscription_once(self, rig):
        """One copy a subscription, whatever the number of services."""
        seen = defaultdict(list)
        first, second = rig.worker("first"), rig.worker("second")

        @first.subscribe(ConversationRead, name="a")
        async def on_a(event, context):
            seen["a"].append(event)

        @first.subscribe(ConversationRead, name="b")
        async def on_b(event, context):
            seen["b"].append(event)

        @second.subscribe(ConversationRead, name="a")
        async def on_c(event, context):
            seen["c"].append(event)

        async with rig.consuming(first), rig.consuming(second):
            await rig.publish(read(1))
            await rig.until(lambda: len(seen) == 3)
            await asyncio.sleep(0.05)
        assert dict(seen) == {"a": [read(1)], "b": [read(1)], "c": [read(1)]}

    async def test_only_subscribed_types_arrive(self, rig):
        """Types of the same exchange are apart."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event)

        async with rig.consuming(worker):
            await rig.publish(deleted(1), read(1))
            await rig.until(lambda: seen)
            await asyncio.sleep(0.05)
        assert seen == [read(1)]

    async def test_a_rollback_sends_nothing(self, rig):
        """Events of a transaction that failed are never seen."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event.read_seq)

        async with rig.consuming(worker):
            with pytest.raises(ConflictError):  # noqa: PT012 - the block is the case
                async with rig.bus.transaction() as transaction:
                    transaction.publish(read(1))
                    raise ConflictError("no", "not today")
            await rig.publish(read(2))
            await rig.until(lambda: seen)
            await asyncio.sleep(0.1)
        assert seen == [2]

    async def test_run_transaction_returns_and_sends_once(self, rig):
        """The callable form returns what the callback does."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event.read_seq)

        async def callback(transaction):
            return transaction.publish(read(1))

        async with rig.consuming(worker):
            event_id = await rig.bus.run_transaction(callback)
            await rig.until(lambda: seen)
        assert len(event_id) == 36
        assert seen == [1]

    async def test_context_tells_what_the_producer_knew(self, rig):
        """Id, time, sequence, correlation and causation arrive with the event."""
        contexts = []
        worker = rig.worker()

        @worker.subscribe(MessageDeleted, name="deleted")
        async def on_deleted(event, context):
            contexts.append((context, correlation_id.get()))

        cause = Cause("story", "request", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
        async with rig.consuming(worker, app="the app"):
            with caused_by(cause):
                (event_id,) = await rig.publish(deleted(7))
            await rig.until(lambda: contexts)
        context, correlation = contexts[0]
        assert context.event_id == event_id
        assert context.sequence == 7
        assert context.correlation_id == correlation == "story"
        assert context.causation_id == "request"
        assert context.attempt == 1
        assert context.app == "the app"
        assert context.occurred_at.tzinfo is not None

    async def test_a_caused_event_leaves_with_its_cause(self, rig):
        """What a handler publishes has the parent's id and the same correlation."""
        contexts = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            context.publish(deleted(1))

        @worker.subscribe(MessageDeleted, name="deleted")
        async def on_deleted(event, context):
            contexts.append(context)

        worker.emits = (MessageDeleted,)
        async with rig.consuming(worker):
            with caused_by(Cause("story", None, None)):
                (parent,) = await rig.publish(read(1))
            await rig.until(lambda: contexts)
        assert contexts[0].causation_id == parent
        assert contexts[0].correlation_id == "story"

    async def test_a_failed_handler_publishes_nothing(self, rig):
        """Its events roll back with its transaction, on every try."""
        seen, tries = [], []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", retry=QUICK)
        async def on_read(event, context):
            context.publish(deleted(context.attempt))
            tries.append(context.attempt)
            if context.attempt < 2:
                raise ValueError

        @worker.subscribe(MessageDeleted, name="deleted")
        async def on_deleted(event, context):
            seen.append(event.revision)

        worker.emits = (MessageDeleted,)
        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: seen)
            await asyncio.sleep(0.05)
        assert tries == [1, 2]
        assert seen == [2]

    async def test_a_failure_goes_through_the_tiers_to_the_dead_letters(self, rig):
        """Immediate tries, each tier, then a dead letter that tells why."""
        attempts = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", retry=QUICK)
        async def on_read(event, context):
            attempts.append(context.attempt)
            raise ValueError("private text")

        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: len(attempts) == 4)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "reads")
        assert attempts == [1, 2, 3, 4]
        assert headers["x-reason"] == "retries_exhausted"
        assert headers["x-error-type"] == "ValueError"
        assert "private" not in headers["x-error-text"]
        assert headers["x-attempts"] == 2
        assert headers["x-first-failure"] < headers["x-died-at"]

    async def test_a_tier_leads_back_to_success(self, rig):
        """A failure that passes is handled in the end, by its subscription alone."""
        seen, others = [], []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", retry=QUICK)
        async def on_read(event, context):
            if context.attempt < 3:
                raise UnavailableError("away", "not yet")
            seen.append(context.attempt)

        @worker.subscribe(ConversationRead, name="others")
        async def on_other(event, context):
            others.append(context.attempt)

        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: seen)
        assert seen == [3]
        assert others == [1]

    @pytest.mark.parametrize(
        "error", [PermanentError("never"), ConflictError("taken", "never")]
    )
    async def test_a_permanent_failure_is_not_tried_again(self, rig, error):
        """One try, one dead letter."""
        tries = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            tries.append(1)
            raise error

        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: tries)
            await asyncio.sleep(0.2)
            (headers,) = await rig.dead_letters(worker, "reads")
        assert tries == [1]
        assert headers["x-reason"] == "permanent"
        assert headers["x-error-text"] == str(error)

    async def test_retry_after_skips_immediate_tries(self, rig):
        """The handler knows better: straight to the tier."""
        attempts = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", retry=QUICK)
        async def on_read(event, context):
            attempts.append(context.attempt)
            if len(attempts) == 1:
                raise RetryAfter(1)

        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: len(attempts) == 2)
        assert attempts == [1, 3]

    async def test_a_deadline_is_a_failure(self, rig):
        """A handler that hangs is cancelled and tried again."""
        attempts = []
        worker = rig.worker()

        @worker.subscribe(
            ConversationRead,
            name="reads",
            retry=QUICK,
            deadline=timedelta(seconds=0.2),
        )
        async def on_read(event, context):
            attempts.append(context.attempt)
            if len(attempts) == 1:
                await asyncio.sleep(30)

        async with rig.consuming(worker):
            await rig.publish(read(1))
            await rig.until(lambda: len(attempts) == 2)
        assert attempts == [1, 2]

    async def test_a_copy_has_no_effect(self, rig):
        """The same frame again, as a sweeper or a second relay would send it."""
        seen, other = [], []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(context.event_id)

        @worker.subscribe(ConversationRead, name="outside", in_transaction=False)
        async def on_outside(event, context):
            other.append(context.event_id)

        frame = rig.frame_of(read(1))
        async with rig.consuming(worker):
            for _ in range(3):
                await rig.send_raw("conversation.events", "conversation.read", frame)
            await rig.publish(read(2, "another"))
            await rig.until(lambda: len(seen) == 2 and len(other) == 2)
            await asyncio.sleep(0.1)
        assert len(set(seen)) == len(seen) == 2
        assert len(set(other)) == len(other) == 2

    @pytest.mark.parametrize("body", [b"not json", b"[]", b'[{"id": "x"}]'])
    async def test_poison_is_buried_and_costs_nobody(self, rig, body):
        """An unreadable frame is a dead letter at once; what follows is handled."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event.read_seq)

        async with rig.consuming(worker):
            await rig.send_raw("conversation.events", "conversation.read", body)
            await rig.publish(read(1))
            await rig.until(lambda: seen)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "reads")
        assert headers["x-reason"] == "undecodable"

    async def test_a_bad_event_of_a_good_frame_is_buried_alone(self, rig):
        """Its neighbours are handled; an unknown type is named as the reason."""
        seen, live = [], []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event.read_seq)

        @worker.subscribe_live(ConversationRead, name="live")
        async def on_live(event, context):
            live.append(event.read_seq)

        frame = rig.frame_of(read(1), read(2), read(3))
        bad = frame.replace(b'"conversation.read"', b'"nobody.knows"', 1)
        async with rig.consuming(worker):
            await rig.send_raw("conversation.events", "conversation.read", b"[")
            await rig.send_raw("conversation.events", "conversation.read", bad)
            await rig.until(lambda: len(seen) == len(live) == 2)
            await asyncio.sleep(0.1)
            letters = await rig.dead_letters(worker, "reads")
        assert seen == live == [2, 3]
        reasons = {headers["x-reason"] for headers in letters}
        assert reasons == {"undecodable", "unknown_type"}

    async def test_a_batch_skips_what_is_known(self, rig):
        """Copies inside a frame, across frames and of done events have no effect."""
        done = []
        worker = rig.worker()

        @worker.subscribe_batch(ConversationRead, name="reads")
        async def on_reads(batch):
            done.extend(item.event.read_seq for item in batch.items)

        one = rig.frame_of(read(1), read(2))
        twice = b"[" + one[1:-1] + b"," + one[1:-1] + b"]"
        more = b"[" + one[1:-1] + b"," + rig.frame_of(read(3))[1:-1] + b"]"
        async with rig.consuming(worker):
            for frame in (twice, one):
                await rig.send_raw("conversation.events", "conversation.read", frame)
            await rig.until(lambda: len(done) == 2)
            for frame in (more, one):
                await rig.send_raw("conversation.events", "conversation.read", frame)
            await rig.until(lambda: len(done) >= 3)
            await asyncio.sleep(0.2)
        assert done == [1, 2, 3]

    async def test_one_key_is_handled_in_order_and_alone(self, rig):
        """Over 16 keys with 10 events each, none overlaps and none overtakes."""
        seen, running = defaultdict(list), set()
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", concurrency=8)
        async def on_read(event, context):
            assert event.conversation_id not in running
            running.add(event.conversation_id)
            await asyncio.sleep(0.001)
            running.discard(event.conversation_id)
            seen[event.conversation_id].append(event.read_seq)

        async with rig.consuming(worker):
            for number in range(10):
                await rig.publish(*(read(number, f"c{key}") for key in range(16)))
            await rig.until(lambda: sum(map(len, seen.values())) == 160)
        assert all(numbers == list(range(10)) for numbers in seen.values())

    async def test_concurrency_is_bounded_and_used(self, rig):
        """Different keys run side by side, up to the bound."""
        running, most = 0, 0
        done = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", concurrency=3)
        async def on_read(event, context):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.05)
            running -= 1
            done.append(event)

        async with rig.consuming(worker):
            await rig.publish(read(1, "so that it is known to be slow"))
            await rig.until(lambda: done)
            await rig.publish(*(read(1, f"c{key}") for key in range(12)))
            await rig.until(lambda: len(done) == 13)
        assert most == 3, most

    async def test_a_batch_comes_together_and_fails_apart(self, rig):
        """One bad event of a batch is retried alone; its neighbours are done once."""
        done, batches = [], []
        worker = rig.worker()

        @worker.subscribe_batch(ConversationRead, name="reads", retry=QUICK)
        async def on_reads(batch):
            batches.append([item.event.read_seq for item in batch.items])
            for item in batch.items:
                if item.event.read_seq == 3 and item.context.attempt < 3:
                    batch.fail(item, ValueError())
                else:
                    done.append(item.event.read_seq)

        async with rig.consuming(worker):
            await rig.publish(*(read(number) for number in range(10)))
            await rig.until(lambda: len(done) == 10)
        assert sorted(done) == list(range(10))
        assert batches[0] == list(range(10))
        assert batches[-1] == [3]

    async def test_a_batch_that_raises_is_taken_apart(self, rig):
        """Then every event is on its own, and the bad one is a dead letter."""
        done = []
        worker = rig.worker()

        @worker.subscribe_batch(ConversationRead, name="reads", retry=QUICK)
        async def on_reads(batch):
            numbers = [item.event.read_seq for item in batch.items]
            if 3 in numbers:
                raise PermanentError("three")
            done.extend(numbers)

        async with rig.consuming(worker):
            await rig.publish(*(read(number) for number in range(6)))
            await rig.until(lambda: len(done) == 5)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "reads")
        assert sorted(done) == [0, 1, 2, 4, 5]
        assert headers["x-reason"] == "permanent"

    async def test_live_subscriptions_see_what_happens_from_now_on(self, rig):
        """In order, with errors that fail nothing, until the worker ends."""
        seen = []
        worker = rig.worker()

        @worker.subscribe_live(ConversationRead, name="events")
        async def on_read(event, context):
            seen.append(event.read_seq)
            if event.read_seq == 2:
                raise ValueError

        await rig.publish(read(0))
        async with rig.consuming(worker) as bus:
            assert bus.live_is_connected
            await rig.publish(read(1), read(2), read(3))
            await rig.until(lambda: len(seen) == 3)
            await rig.bus.publish_transient(read(4))
            await rig.until(lambda: len(seen) == 4)
        assert seen == [1, 2, 3, 4]

    async def test_leaving_drains_and_loses_nothing(self, rig):
        """A running handler finishes; what was not started is there the next time."""
        done = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", concurrency=1)
        async def on_read(event, context):
            await asyncio.sleep(0.1)
            done.append(event.read_seq)

        async with rig.consuming(worker):
            for number in range(4):
                await rig.send_alone(read(number, f"c{number}"))
            await rig.until(lambda: done)
        assert 1 <= len(done) < 4
        async with rig.consuming(worker):
            await rig.until(lambda: len(done) >= 4)
            await asyncio.sleep(0.1)
        assert sorted(done) == [0, 1, 2, 3]

    async def test_the_kill_switch_trips_probes_and_resumes(self, rig):
        """After too many failures nothing runs until the pause is over."""
        calls, is_broken = [], True
        worker = rig.worker()
        switch = KillSwitch(ratio=0.5, minimum=3, pause=timedelta(seconds=0.4))

        @worker.subscribe(
            UserSuspended,
            name="users",
            kill_switch=switch,
            concurrency=1,
            retry=Retry(immediate=0, delays=()),
        )
        async def on_user(event, context):
            calls.append(asyncio.get_running_loop().time())
            if is_broken:
                raise ValueError

        async with rig.consuming(worker):
            for number in range(6):
                await rig.send_alone(
                    UserSuspended(user_id=f"u{number}", revision=1, is_suspended=True)
                )
            await rig.until(lambda: len(calls) >= 3)
            is_broken = False
            await rig.until(lambda: len(calls) == 6)
        assert calls[3] - calls[2] > 0.35
