"""What every bus promises about ordered subscriptions; run as `conformance` is."""

import asyncio
from datetime import timedelta

from libs.events import PermanentError, Retry, RetryAfter
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.consuming import ordered
from tests.integration.events.conformance import deleted, read

SOON = timedelta(seconds=0.3)
ONCE = Retry(immediate=0, delays=())


def in_order(worker, *, fails=lambda _: False, **options):
    """Subscribe in order; returns what was handled, by key."""
    seen = {}

    @worker.subscribe(
        MessageDeleted, ConversationRead, name="ordered", is_ordered=True, **options
    )
    async def on_event(event, context):
        if fails(event):
            raise PermanentError("not this one")
        number = getattr(event, "revision", None) or event.read_seq
        seen.setdefault(event.conversation_id, []).append(number)

    return seen


class OrderConformance:
    """Cases about order by key; a subclass gives the `rig` fixture."""

    async def test_wire_order_does_not_matter(self, rig):
        """Numbers rule, from the first one seen; copies and keys aside."""
        worker = rig.worker()
        seen = in_order(worker)
        async with rig.consuming(worker):
            for number in (5, 7, 8, 6, 6, 7, 9):
                await rig.send_alone(deleted(number, "a"))
            frame = rig.frame_of(*(deleted(number, "b") for number in (1, 3, 2)))
            await rig.send_raw("message.events", "message.deleted", frame)
            await rig.until(lambda: len(seen.get("a", [])) == 5 and len(seen) == 2)
            await rig.until(lambda: len(seen["b"]) == 3)
        assert seen == {"a": [5, 6, 7, 8, 9], "b": [1, 2, 3]}

    async def test_events_without_a_number_come_as_they_are_sent(self, rig):
        """There is nothing to order them by but their arrival."""
        worker = rig.worker()
        seen = in_order(worker)
        async with rig.consuming(worker):
            await rig.publish(*(read(number) for number in range(1, 11)))
            await rig.until(lambda: len(seen.get("c", [])) == 10)
        assert seen == {"c": list(range(1, 11))}

    async def test_a_gap_is_parked_and_resumes_when_it_is_filled(self, rig):
        """Other keys go on; the missing number sets the parked ones free, in order."""
        worker = rig.worker()
        seen = in_order(worker, gap_hold=SOON)
        async with rig.consuming(worker):
            for number in (1, 3, 4):
                await rig.send_alone(deleted(number, "a"))
            await rig.send_alone(deleted(1, "b"))
            await rig.until(lambda: len(seen) == 2)
            await rig.parked(worker, "a", 2)
            await rig.send_alone(deleted(6, "a"))
            await rig.parked(worker, "a", 3)
            assert seen == {"a": [1], "b": [1]}
            await rig.send_alone(deleted(2, "a"))
            await rig.until(lambda: len(seen["a"]) == 4)
            assert seen["a"] == [1, 2, 3, 4]
            await rig.send_alone(deleted(5, "a"))
            await rig.until(lambda: len(seen["a"]) == 6)
            await rig.parked(worker, "a", 0)
        assert seen["a"] == [1, 2, 3, 4, 5, 6]

    async def test_skip_buries_one_event_and_goes_on(self, rig):
        """The event is a dead letter, its successors are handled."""
        worker = rig.worker()
        seen = in_order(worker, fails=lambda event: event.revision == 2, retry=ONCE)
        async with rig.consuming(worker):
            for number in (1, 2, 3):
                await rig.send_alone(deleted(number))
            await rig.until(lambda: len(seen.get("c", [])) == 2)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "ordered")
        assert seen == {"c": [1, 3]}
        assert headers["x-reason"] == "permanent"

    async def test_block_key_parks_a_key_until_it_is_released(self, rig, monkeypatch):
        """What failed and what is behind it waits; other keys do not."""
        monkeypatch.setattr(ordered, "_LOOK_SECONDS", 0.1)
        worker = rig.worker()
        broken = {2}
        seen = in_order(
            worker,
            fails=lambda e: e.conversation_id == "a" and e.revision in broken,
            on_failure="block_key",
        )
        async with rig.consuming(worker):
            for number in (1, 2, 3):
                await rig.send_alone(deleted(number, "a"))
                await rig.send_alone(deleted(number, "b"))
            await rig.until(lambda: len(seen.get("b", [])) == 3)
            await rig.parked(worker, "a", 2)
            assert seen["a"] == [1]
            broken.clear()
            await rig.release(worker, "a")
            await rig.until(lambda: len(seen["a"]) == 3)
            await rig.parked(worker, "a", 0)
            await rig.send_alone(deleted(4, "a"))
            await rig.until(lambda: len(seen["a"]) == 4)
        assert seen == {"a": [1, 2, 3, 4], "b": [1, 2, 3]}
        assert await rig.dead_letters(worker, "ordered") == []

    async def test_what_comes_after_its_successors_is_buried(self, rig):
        """It was never handled, so it is not dropped in silence."""
        worker = rig.worker()
        seen = in_order(worker)
        async with rig.consuming(worker):
            await rig.send_alone(deleted(5))
            await rig.until(lambda: seen)
            await rig.send_alone(deleted(4))
            await rig.send_alone(deleted(6))
            await rig.until(lambda: len(seen["c"]) == 2)
            await asyncio.sleep(0.1)
            (headers,) = await rig.dead_letters(worker, "ordered")
        assert headers["x-reason"] == "out_of_order"

    async def test_a_failure_that_passes_keeps_the_order(self, rig):
        """The lane waits for the tries in process; nothing overtakes."""
        worker, seen = rig.worker(), []

        @worker.subscribe(MessageDeleted, name="ordered", is_ordered=True)
        async def on_event(event, context):
            if event.revision == 2 and context.attempt < 3:
                raise RetryAfter(0.05)
            seen.append((event.revision, context.attempt))

        async with rig.consuming(worker):
            for number in (1, 2, 3):
                await rig.send_alone(deleted(number))
            await rig.until(lambda: len(seen) == 3)
        assert seen == [(1, 1), (2, 3), (3, 1)]
