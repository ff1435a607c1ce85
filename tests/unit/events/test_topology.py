"""The topology that follows from workers: queues, bindings and least rights."""

import re

import pytest

from libs.events import Retry, Worker
from libs.events.catalog import (
    MessageEdited,
    MessageSent,
    SessionRevoked,
    UserCreated,
)
from libs.events.topology import Binding, build_topology


async def handler(event, context):
    """Do nothing."""


def workers():
    """One producer that listens live, one consumer, one that does neither."""
    chat = Worker("chat", emits=[MessageSent, MessageEdited])
    chat.subscribe_live(MessageSent, SessionRevoked, name="events")(handler)
    notification = Worker("notification")
    notification.subscribe(
        MessageSent, MessageEdited, name="messages", retry=Retry(delays=("1s", "10m"))
    )(handler)
    notification.subscribe(UserCreated, name="users", is_ordered=True)(handler)
    return [chat, notification, Worker("idle")]


def queue(topology, name):
    """Find a queue."""
    return next(q for q in topology.queues if q.name == name)


def rights(topology, user):
    """Find a service's rights."""
    return next(p for p in topology.permissions if p.user == user)


def test_a_subscription_has_its_queue_tiers_and_dead_letters():
    """Only the tiers that its retry uses are declared."""
    names = [q.name for q in build_topology(workers()).queues]
    assert [name for name in names if name.startswith("notification.messages")] == [
        "notification.messages",
        "notification.messages.dlq",
        "notification.messages.retry.10m",
        "notification.messages.retry.1s",
    ]


def test_every_queue_is_a_quorum_queue_that_loses_nothing():
    """Dead lettering is at least once, through the service's own exchange."""
    topology = build_topology(workers())
    assert {q.arguments["x-queue-type"] for q in topology.queues} == {"quorum"}
    assert queue(topology, "notification.messages").arguments == {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "notification.direct",
        "x-dead-letter-routing-key": "notification.messages.dlq",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    tier = queue(topology, "notification.messages.retry.10m").arguments
    assert tier["x-message-ttl"] == 600_000
    assert tier["x-dead-letter-routing-key"] == "notification.messages"


def test_an_ordered_subscription_has_one_active_consumer():
    """And no tiers, since they break the order."""
    topology = build_topology(workers())
    assert queue(topology, "notification.users").arguments["x-single-active-consumer"]
    assert not [q for q in topology.queues if q.name.startswith("notification.users.r")]


def test_bindings_are_by_type_and_by_queue_name():
    """Events come by type; the service's own exchange leads to each queue by name."""
    bindings = set(build_topology(workers()).bindings)
    name = "notification.messages"
    assert Binding("message.events", name, "message.edited") in bindings
    assert Binding("notification.direct", f"{name}.dlq", f"{name}.dlq") in bindings
    assert Binding("unroutable", "unroutable", "") in bindings


def test_event_exchanges_have_an_alternate():
    """What nobody wants ends in the unroutable queue."""
    topology = build_topology(workers())
    exchange = next(e for e in topology.exchanges if e.name == "message.events")
    assert exchange.arguments == {"alternate-exchange": "unroutable"}


@pytest.mark.parametrize(
    ("user", "right", "allowed", "refused"),
    [
        (
            "chat",
            "configure",
            ["chat.live.1-events"],
            ["chat.x", "", "chat.livex", "notification.live.1", "amq.gen-1"],
        ),
        (
            "chat",
            "write",
            ["message.events", "chat.live.1-events"],
            ["user.events", "", "notification.direct", "messagexevents", "amq.default"],
        ),
        (
            "chat",
            "read",
            ["message.events", "session.events", "chat.live.1-events"],
            ["notification.messages", "user.events", ""],
        ),
        ("notification", "configure", [], ["", "notification.live.1", "x"]),
        (
            "notification",
            "write",
            ["notification.direct"],
            ["message.events", "", "notification.messages"],
        ),
        (
            "notification",
            "read",
            ["notification.messages", "notification.users"],
            ["notification.messages.dlq", "chat.live.1-events", "message.events"],
        ),
        ("idle", "write", [], ["", "message.events", "idle.direct"]),
    ],
)
def test_services_have_the_least_rights(user, right, allowed, refused):
    """Names that a service works with are allowed, all others refused."""
    pattern = getattr(rights(build_topology(workers()), user), right)
    assert all(re.search(pattern, name) for name in allowed)
    assert not any(re.search(pattern, name) for name in refused)


def test_policies_fit_the_names_they_are_for():
    """Work queues get the delivery limit; what is kept is never dropped."""
    policies = build_topology(workers()).policies

    def policy_of(name):
        fits = [p for p in policies if re.search(p.pattern, name)]
        return max(fits, key=lambda p: p.priority).name

    assert policy_of("notification.message-sent") == "events-work"
    assert policy_of("notification.message-sent.dlq") == "events-kept"
    assert policy_of("notification.message-sent.retry.10s") == "events-kept"
    assert policy_of("unroutable") == "events-unroutable"


def test_subscriptions_that_break_a_promise_are_refused():
    """Tiers with order, unknown tiers, batches without a transaction, a name twice."""
    worker = Worker("x")
    with pytest.raises(ValueError, match="break the order"):
        worker.subscribe(
            UserCreated, name="a", is_ordered=True, retry=Retry(delays=("1s",))
        )(handler)
    with pytest.raises(ValueError, match="no such tiers"):
        worker.subscribe(UserCreated, name="a", retry=Retry(delays=("2s",)))(handler)
    with pytest.raises(ValueError, match="needs its transaction"):
        worker.subscribe_batch(UserCreated, name="a", in_transaction=False)(handler)
    worker.subscribe(UserCreated, name="a")(handler)
    with pytest.raises(ValueError, match="exists"):
        worker.subscribe(UserCreated, name="a")(handler)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"is_ordered": True, "in_transaction": False}, "order needs its transaction"),
        ({"on_failure": "block_key"}, "only an ordered subscription can block"),
        ({"is_ordered": True, "max_batch": 10}, "a batch has no order by number"),
    ],
)
def test_an_order_that_cannot_be_kept_is_refused(options, words):
    """The last number is stored in the inbox's transaction; only lanes can wait."""
    with pytest.raises(ValueError, match=words):
        Worker("chat").subscribe(MessageSent, name="reads", **options)(None)


def test_a_new_consumer_touches_no_producer():
    """The producer's rights and its exchange stay; the rest is the consumer's own."""
    producer = Worker("auth", emits=[UserCreated])
    consumer = Worker("search")
    consumer.subscribe(UserCreated, name="users")(handler)
    before, after = build_topology([producer]), build_topology([producer, consumer])
    assert set(before.permissions) < set(after.permissions)
    new = [e.name for e in after.exchanges if e not in before.exchanges]
    assert new == ["search.direct"]
    assert [e for e in before.exchanges if e not in after.exchanges] == []
    new = {queue.name for queue in after.queues} - {q.name for q in before.queues}
    assert all(name.startswith("search.users") for name in new)
