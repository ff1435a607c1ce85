"""What every bus promises about deliveries; run as `conformance` is."""

import asyncio
from collections import Counter

from libs.events import Retry
from libs.events.catalog import ConversationRead
from libs.events.tracing import Cause, caused_by
from tests.integration.events.conformance import read

EXCHANGE, KEY = "conversation.events", "conversation.read"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class DeliveryConformance:
    """Cases about prefetch, closing and headers; a subclass gives the `rig`."""

    async def test_nothing_comes_before_the_ack_at_prefetch_1(self, rig):
        """One frame is outstanding, whatever the number of keys and lanes."""
        running, most, done = 0, 0, []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", prefetch=1, concurrency=8)
        async def on_read(event, context):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            running -= 1
            done.append(event.read_seq)

        async with rig.consuming(worker):
            for number in range(6):
                await rig.send_alone(read(number, f"c{number}"))
            await rig.until(lambda: len(done) == 6)
        assert most == 1
        assert done == list(range(6))

    async def test_prefetch_bounds_what_is_in_hand(self, rig):
        """At most so many frames wait here, however many are on the queue."""
        release, started = asyncio.Event(), []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", prefetch=3, concurrency=8)
        async def on_read(event, context):
            started.append(event.read_seq)
            await release.wait()

        async with rig.consuming(worker):
            for number in range(6):
                await rig.send_alone(read(number, f"c{number}"))
            await rig.until(lambda: len(started) == 3)
            await asyncio.sleep(0.2)
            assert len(started) == 3
            release.set()
            await rig.until(lambda: len(started) == 6)

    async def test_an_error_does_not_end_the_subscription(self, rig):
        """After a dead letter the next events are handled."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(
            ConversationRead, name="reads", retry=Retry(immediate=0, delays=())
        )
        async def on_read(event, context):
            if event.read_seq < 3:
                raise ValueError
            seen.append(event.read_seq)

        async with rig.consuming(worker):
            for number in range(5):
                await rig.publish(read(number))
            await rig.until(lambda: seen == [3, 4])

    async def test_several_workers_close_at_the_same_time(self, rig):
        """Each drains; what none of them started is there afterwards."""
        done = Counter()
        workers = [rig.worker("first"), rig.worker("second")]

        async def on_read(event, context):
            await asyncio.sleep(0.01)
            done[context.app, event.read_seq] += 1

        for worker in workers:
            worker.subscribe(ConversationRead, name="reads", concurrency=1)(on_read)

        async def run(worker, until):
            async with rig.consuming(worker, worker.service):
                await until()

        async def some():
            await rig.until(lambda: len(done) >= 4)

        async def every():
            await rig.until(lambda: len(done) == 40)

        for worker in workers:
            async with rig.consuming(worker, worker.service):
                pass
        for number in range(20):
            await rig.send_alone(read(number))
        await asyncio.gather(*(run(worker, some) for worker in workers))
        await asyncio.gather(*(run(worker, every) for worker in workers))
        assert set(done.values()) == {1}

    async def test_an_unknown_version_is_buried_as_such(self, rig):
        """A newer producer's event waits in the dead letters for a newer consumer."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            seen.append(event.read_seq)

        newer = rig.frame_of(read(1)).replace(
            b"conversation.read:2", b"conversation.read:99"
        )
        more = newer.replace(b'"data":{', b'"data":{"nobody_knows":1,')
        known = rig.frame_of(read(2)).replace(b'"data":{', b'"data":{"unknown":1,')
        async with rig.consuming(worker):
            for frame in (newer, more, known):
                await rig.send_raw(EXCHANGE, KEY, frame)
            await rig.until(lambda: seen)
            await asyncio.sleep(0.2)
            letters = await rig.dead_letters(worker, "reads")
        assert seen == [2]
        assert [letter["x-reason"] for letter in letters] == ["unknown_version"] * 2

    async def test_trace_and_cause_survive_a_tier(self, rig):
        """A retried event has the trace, correlation and id of its first delivery."""
        contexts = []
        worker = rig.worker()

        @worker.subscribe(
            ConversationRead, name="reads", retry=Retry(immediate=0, delays=("1s",))
        )
        async def on_read(event, context):
            contexts.append(context)
            if len(contexts) == 1:
                raise ValueError

        async with rig.consuming(worker):
            with caused_by(Cause("story", "request", TRACE)):
                (event_id,) = await rig.publish(read(1))
            await rig.until(lambda: len(contexts) == 2)
        for context in contexts:
            assert context.event_id == event_id
            assert context.traceparent == TRACE
            assert (context.correlation_id, context.causation_id) == (
                "story",
                "request",
            )
        assert [context.attempt for context in contexts] == [1, 2]

    async def test_one_id_at_once_from_three_senders_has_one_effect(self, rig):
        """The inbox decides, not luck."""
        seen = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", prefetch=8)
        async def on_read(event, context):
            await asyncio.sleep(0.02)
            seen.append(event.read_seq)

        frame = rig.frame_of(read(1))
        async with rig.consuming(worker):
            await asyncio.gather(
                *(rig.send_raw(EXCHANGE, KEY, frame) for _ in range(3))
            )
            await rig.until(lambda: seen)
            await asyncio.sleep(0.3)
        assert seen == [1]
