"""What every bus promises about frames; run as `conformance` is."""

import asyncio
from collections import Counter

from libs.events import PermanentError, Retry
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.consuming import runner
from libs.events.tracing import Cause, caused_by
from tests.integration.events.conformance import QUICK, deleted, read

EXCHANGE, KEY = "conversation.events", "conversation.read"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def observing(rig, worker):
    """Count the events that handlers caused: effects that share their fate."""
    seen = []
    worker.emits = (*worker.emits, MessageDeleted)

    @worker.subscribe(MessageDeleted, name="effects")
    async def on_effect(event, context):
        seen.append(event.revision)

    return seen


class FrameConformance:
    """Cases about events that travel together; a subclass gives the `rig` fixture."""

    async def test_a_frame_shares_one_transaction(self, rig):
        """Handlers of a frame see one transaction; the next frame has another."""
        transactions = []
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            transactions.append(id(context.transaction))

        async with rig.consuming(worker):
            events = [read(number, f"c{number}") for number in range(20)]
            await rig.send_raw(EXCHANGE, KEY, rig.frame_of(*events))
            await rig.until(lambda: len(transactions) == 20)
        assert len(set(transactions)) == 1

    async def test_one_of_a_frame_fails_and_its_neighbours_do_not(self, rig):
        """63 effects once; one event goes alone to the tier and comes back."""
        attempts, alone = Counter(), []
        worker = rig.worker()
        effects = observing(rig, worker)

        @worker.subscribe(
            ConversationRead, name="reads", retry=Retry(immediate=0, delays=("1s",))
        )
        async def on_read(event, context):
            context.publish(deleted(event.read_seq))
            attempts[event.read_seq] += 1
            if event.read_seq == 40:
                alone.append(context.attempt)
                if context.attempt == 1:
                    raise ValueError

        async with rig.consuming(worker):
            events = [read(number, f"c{number % 7}") for number in range(64)]
            await rig.send_raw(EXCHANGE, KEY, rig.frame_of(*events))
            await rig.until(lambda: len(effects) == 64)
            await asyncio.sleep(0.1)
        assert sorted(effects) == list(range(64))
        assert effects.index(40) == 63
        assert alone == [1, 1, 2]
        assert max(attempts[number] for number in range(41, 64)) == 1

    async def test_a_dead_letter_of_a_frame_travels_alone(self, rig):
        """The others of its key are handled after it, in order."""
        done = []
        worker = rig.worker()
        effects = observing(rig, worker)

        @worker.subscribe(ConversationRead, name="reads", retry=QUICK)
        async def on_read(event, context):
            context.publish(deleted(event.read_seq))
            if event.read_seq == 2:
                raise PermanentError("two")
            done.append(event.read_seq)

        async with rig.consuming(worker):
            events = [read(number) for number in range(5)]
            await rig.send_raw(EXCHANGE, KEY, rig.frame_of(*events))
            await rig.until(lambda: len(effects) == 4)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "reads")
        assert effects == [0, 1, 3, 4]
        assert headers["x-reason"] == "permanent"
        assert headers["x-attempts"] == 1

    async def test_copies_inside_and_across_frames_have_no_effect(self, rig):
        """Frames are cut anew on each publish; only the rest of a known one runs."""
        worker = rig.worker()
        effects = observing(rig, worker)

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            context.publish(deleted(event.read_seq))

        one = rig.frame_of(read(1), read(2))
        twice = b"[" + one[1:-1] + b"," + one[1:-1] + b"]"
        more = b"[" + one[1:-1] + b"," + rig.frame_of(read(3), read(4))[1:-1] + b"]"
        async with rig.consuming(worker):
            for frame in (twice, one, more, more, one):
                await rig.send_raw(EXCHANGE, KEY, frame)
            await rig.until(lambda: len(effects) >= 4)
            await asyncio.sleep(0.2)
        assert effects == [1, 2, 3, 4]

    async def test_each_event_of_a_frame_is_the_cause_of_its_own(self, rig):
        """Correlation, causation and trace of what is published follow the event."""
        seen = {}
        worker = rig.worker()
        worker.emits = (MessageDeleted,)

        @worker.subscribe(ConversationRead, name="reads")
        async def on_read(event, context):
            context.publish(deleted(event.read_seq, "single"))

        @worker.subscribe_batch(ConversationRead, name="batches")
        async def on_reads(batch):
            for item in batch.items:
                assert item.traceparent == TRACE
                item.context.publish(deleted(item.event.read_seq, "batch"))

        @worker.subscribe(MessageDeleted, name="effects")
        async def on_effect(event, context):
            seen[event.conversation_id, event.revision] = context

        parents = {}
        async with rig.consuming(worker):
            async with rig.bus.transaction() as transaction:
                for number in range(3):
                    with caused_by(Cause(f"story {number}", None, TRACE)):
                        event = read(number, f"c{number}")
                        parents[number] = transaction.publish(event)
            await rig.until(lambda: len(seen) == 6)
        for (_, number), context in seen.items():
            assert context.correlation_id == f"story {number}"
            assert context.causation_id == parents[number]
            assert context.traceparent[:35] == TRACE[:35]

    async def test_slow_handlers_are_taken_apart(self, rig, monkeypatch):
        """A frame that lasts too long for one transaction is handled side by side."""
        monkeypatch.setattr(runner, "_MOST_SHARED_SECONDS", 0.4)
        transactions = {}
        worker = rig.worker()

        @worker.subscribe(ConversationRead, name="reads", concurrency=8)
        async def on_read(event, context):
            await asyncio.sleep(0.12)
            transactions[event.read_seq] = context.transaction

        async with rig.consuming(worker):
            events = [read(number, f"c{number}") for number in range(8)]
            await rig.send_raw(EXCHANGE, KEY, rig.frame_of(*events))
            await rig.send_alone(read(8, "last"))
            await rig.until(lambda: len(transactions) == 9)
        assert len(set(map(id, transactions.values()))) > 1

    async def test_a_live_subscription_is_spared_what_it_does_not_want(self, rig):
        """It is asked once an event, by its head; the rest of a frame comes through."""
        seen, heads = [], []
        worker = rig.worker()

        def wanted(app, head):
            heads.append((app, head.type, head.key, head.sequence))
            return head.sequence is None or head.sequence % 2 == 0

        @worker.subscribe_live(
            MessageDeleted, ConversationRead, name="live", wanted=wanted
        )
        async def on_event(event, context):
            seen.append(event.event_sequence)

        async with rig.consuming(worker, "app"):
            for revisions in ([1, 3], [5, 6, 7, 8], [10]):
                frame = rig.frame_of(*(deleted(n, f"c{n}") for n in revisions))
                await rig.send_raw("message.events", "message.deleted", frame)
            await rig.send_alone(read(9))
            await rig.until(lambda: len(seen) == 4)
        assert seen == [6, 8, 10, None]
        kinds = [("message.deleted", f"c{n}", n) for n in (1, 3, 5, 6, 7, 8, 10)]
        kinds.append(("conversation.read", "c", None))
        assert heads == [("app", *kind) for kind in kinds]

    async def test_a_frame_without_heads_is_judged_event_by_event(self, rig):
        """What cannot be read is reported; its neighbours come, wanted or not."""
        seen = []
        worker = rig.worker()

        @worker.subscribe_live(
            ConversationRead, name="live", wanted=lambda _app, _head: False
        )
        async def on_read(event, context):
            seen.append(event.read_seq)

        good = rig.frame_of(read(1), read(2))
        async with rig.consuming(worker):
            await rig.send_raw(EXCHANGE, KEY, b"no frame")
            await rig.send_raw(EXCHANGE, KEY, good[:-1] + b',{"type":1}]')
            await rig.until(lambda: len(seen) == 2)
            await rig.send_raw(EXCHANGE, KEY, good)
            await asyncio.sleep(0.05)
        assert seen == [1, 2]
