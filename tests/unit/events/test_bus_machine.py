"""Any mix of commits, roll-backs, failures, crashes and lost acks keeps the promises.

A state machine drives the bus in memory with the code that runs in production for
frames, lanes, batches, order, tiers and dead letters. Effects are events that handlers
publish: they exist if and only if the handler's transaction committed.
"""

import asyncio
from collections import Counter
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from libs.events import PermanentError, Retry, Worker
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.memory import InMemoryBus

NAMES = ("single", "batch", "ordered")
FAILURES = {"fails": RuntimeError("again"), "is_bad": PermanentError("never")}
PLANS = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(list(FAILURES)), max_size=3)
)


class BusMachine(RuleBasedStateMachine):
    """One producer, one worker with three subscriptions, and what may befall them."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.Runner()
        self.bus = InMemoryBus("chat", has_immediate_tiers=False)
        self.worker = self.declare()
        for subscription in self.worker.subscriptions:  # as `topology apply` does
            self.bus.broker.declare("chat", subscription)
        self.running = None
        self.revisions = Counter()
        self.committed = []
        self.plans = {}

    def declare(self):
        """Subscribe single events, batches, and single events in order."""
        worker = Worker("chat")
        options = {"retry": Retry(immediate=0, delays=("1s", "10s"))}

        @worker.subscribe(MessageDeleted, name="single", concurrency=3, **options)
        async def single(event, context):
            await self.handle("single", event, context)

        @worker.subscribe_batch(MessageDeleted, name="batch", max_size=5, **options)
        async def batch(batch):
            for item in batch.items:
                try:
                    await self.handle("batch", item.event, item.context)
                except PermanentError as error:
                    batch.fail(item, error)

        @worker.subscribe(
            MessageDeleted,
            name="ordered",
            is_ordered=True,
            retry=Retry(immediate=0, delays=()),
            gap_hold=timedelta(0),
        )
        async def ordered(event, context):
            await self.handle("ordered", event, context)

        return worker

    async def handle(self, name, event, context):
        """Fail as planned, else leave an effect; a crash may come in between."""
        await asyncio.sleep(0)
        plan = self.plans.get((name, event.message_id))
        if plan:
            raise FAILURES[plan.pop()]
        await asyncio.sleep(0)
        key, number = event.conversation_id, event.revision
        effect = ConversationRead(conversation_id=key, user_id=name, read_seq=number)
        context.publish(effect)

    @rule(key=st.sampled_from("ab"), plans=st.lists(PLANS, min_size=1, max_size=4))
    def commit(self, key, plans):
        """Commit some events of a key."""
        self.loop.run(self.publish(key, plans))
        self.revisions[key] += len(plans)

    @rule(key=st.sampled_from("ab"))
    def roll_back(self, key):
        """Publish in a transaction that fails; its number is given out again."""
        try:
            self.loop.run(self.publish(key, [{}], error=KeyError()))
        except KeyError:
            self.committed.pop()

    async def publish(self, key, plans, error=None):
        """Publish the next numbers of a key, in one transaction."""
        async with self.bus.transaction() as transaction:
            for number, plan in enumerate(plans, self.revisions[key] + 1):
                name = f"{key}{number}"
                self.committed.append((key, number))
                self.plans |= {(sub, name): todo for sub, todo in plan.items()}
                transaction.publish(
                    MessageDeleted(
                        conversation_id=key,
                        message_id=name,
                        seq=number,
                        revision=number,
                        deleted_by="u",
                    )
                )
            if error:
                raise error

    @precondition(lambda self: self.running is None)
    @rule()
    def start(self):
        """Start the worker."""
        self.running = self.bus.run_worker(self.worker, None)
        self.loop.run(self.running.__aenter__())

    @precondition(lambda self: self.running is not None)
    @rule()
    def drain(self):
        """Stop the worker in good order."""
        self.loop.run(self.running.__aexit__(None, None, None))
        self.running = None

    @precondition(lambda self: self.running is not None)
    @rule(steps=st.integers(0, 12), is_deaf=st.booleans())
    def crash(self, steps, is_deaf):
        """Kill the worker some steps later; its last acks may be lost."""
        self.loop.run(self.die(steps, is_deaf=is_deaf))
        self.running = None

    async def die(self, steps, *, is_deaf):
        """Cancel whatever runs; the broker gives its frames back to the queues."""
        queues = self.bus.broker.queues.values()
        for queue in queues:
            if is_deaf:
                queue.settle = lambda _: None
        for _ in range(steps):
            await asyncio.sleep(0)
        for queue in queues:
            queue.detach()
            vars(queue).pop("settle", None)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.running.__aexit__(None, None, None)

    @rule(seconds=st.sampled_from([1, 10]))
    def pass_time(self, seconds):
        """Let what waits in the tiers come back."""
        self.loop.run(self.bus.advance(timedelta(seconds=seconds)))

    def teardown(self):
        """Heal everything, let it come to rest, and check."""
        self.plans.clear()
        if self.running is None:
            self.start()
        for _ in range(3):
            self.pass_time(10)
        self.drain()
        self.loop.close()
        effects = self.bus.published_of(ConversationRead)
        for name in NAMES:
            done = [
                (e.conversation_id, e.read_seq) for e in effects if e.user_id == name
            ]
            dead = len(self.bus.dead_letters("chat", name))
            assert Counter(done) <= Counter(self.committed), "doubled, or from nowhere"
            assert len(self.committed) - len(done) <= dead, "lost"
            if name == "ordered":
                for key in "ab":
                    numbers = [number for of, number in done if of == key]
                    assert numbers == sorted(numbers), "out of order"


TestBusMachine = BusMachine.TestCase
TestBusMachine.settings = settings(
    max_examples=60, stateful_step_count=15, deadline=None
)
