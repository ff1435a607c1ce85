"""How a transaction ends when the driver's answers are bad ones.

The driver's session is a stand-in that raises what a server would: an election in the
middle of a commit cannot be ordered from a one-node replica set.
"""

from contextlib import asynccontextmanager

import pytest
from pymongo.errors import AutoReconnect, ConnectionFailure, OperationFailure

from libs.events import WriteConflictError
from libs.events.catalog import ConversationRead, UserDeleted
from libs.events.errors import NotEmittedError
from libs.events.outbox import Transactions, transactions
from libs.events.staging import Stager
from libs.kernel import FrozenClock, UnavailableError

EVENT = ConversationRead(conversation_id="c", user_id="u", read_seq=1)


def labelled(error, label):
    """Give an error the label a server gives it."""
    error._add_error_label(label)
    return error


class StubSession:
    """Raises the given errors at commit, one after the other, then commits."""

    def __init__(self, errors):
        self.errors = errors
        self.commits = 0
        self.aborts = 0
        self.in_transaction = False

    async def start_transaction(self, write_concern):
        """Begin; only a majority is good enough."""
        assert write_concern.document == {"w": "majority"}
        self.in_transaction = True

    async def commit_transaction(self):
        """Raise the next error, if there is one."""
        self.commits += 1
        self.in_transaction = False
        if self.errors:
            raise self.errors.pop(0)

    async def abort_transaction(self):
        """End, and fail as a server that is away."""
        self.aborts += 1
        self.in_transaction = False
        raise ConnectionFailure("away")


class StubDatabase:
    """A database whose client hands out one session."""

    def __init__(self, *errors):
        self.session = StubSession(list(errors))
        self.client = self

    @asynccontextmanager
    async def start_session(self):
        """Hand out the session."""
        yield self.session


class Outbox:
    """Takes rows and remembers what the relay was told."""

    def __init__(self):
        self.inserted, self.enqueued, self.suspected = [], [], 0

    async def insert(self, rows, _session):
        """Take rows."""
        self.inserted.extend(rows)

    def enqueue(self, rows):
        """Take committed rows."""
        self.enqueued.extend(rows)

    def suspect(self):
        """Count."""
        self.suspected += 1


def make(*errors):
    """Build transactions over a session that fails so."""
    outbox, database = Outbox(), StubDatabase(*errors)
    stager = Stager("chat", FrozenClock(), frozenset({"conversation.read"}))
    return Transactions(database, outbox, stager, outbox), outbox, database.session


async def publish_one(opener):
    """Publish one event in a transaction."""
    async with opener.open() as transaction:
        transaction.publish(EVENT)


async def test_an_unknown_commit_is_asked_again():
    """The commit is sent again, the body is not run again, the event leaves once."""
    unknown = labelled(AutoReconnect("lost"), "UnknownTransactionCommitResult")
    opener, outbox, session = make(unknown, unknown)
    await publish_one(opener)
    assert session.commits == 3
    assert len(outbox.inserted) == len(outbox.enqueued) == 1


async def test_a_commit_that_stays_unknown_says_so(monkeypatch):
    """The error tells that it may be stored, and the relay looks into the outbox."""
    monkeypatch.setattr(transactions, "_COMMIT_SECONDS", 0)
    unknown = labelled(AutoReconnect("lost"), "UnknownTransactionCommitResult")
    opener, outbox, _ = make(*[unknown] * 9)
    with pytest.raises(UnavailableError) as caught:
        await publish_one(opener)
    assert caught.value.code == "commit_unknown"
    assert caught.value.details == {"is_unknown": True}
    assert outbox.suspected == 1
    assert outbox.enqueued == []


async def test_a_commit_that_lost_is_a_write_conflict():
    """Nothing was stored: the caller may try again."""
    lost = labelled(OperationFailure("no", 251), "TransientTransactionError")
    opener, outbox, _ = make(lost)
    with pytest.raises(WriteConflictError):
        await publish_one(opener)
    assert outbox.enqueued == []
    assert outbox.suspected == 0


async def test_the_callable_form_gives_up_in_the_end():
    """A callback that always loses ends with the error, after a bounded number."""
    opener, _, _ = make()
    runs = []

    async def callback(transaction):
        runs.append(1)
        raise labelled(OperationFailure("no", 112), "TransientTransactionError")

    with pytest.raises(WriteConflictError):
        await opener.run(callback, tries=3)
    assert len(runs) == 3


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ConnectionFailure("away"), UnavailableError),
        (OperationFailure("bad", 2), OperationFailure),
        (ValueError("own"), ValueError),
    ],
)
async def test_an_error_in_the_block_aborts(error, seen):
    """The driver's loss is unavailable; every other error passes unchanged."""
    opener, outbox, session = make()
    with pytest.raises(seen):  # noqa: PT012 - the block is the case
        async with opener.open() as transaction:
            transaction.publish(EVENT)
            raise error
    assert session.aborts == 1
    assert outbox.inserted == []


async def test_a_transaction_without_events_writes_no_rows():
    """Nothing to publish, nothing in the outbox."""
    opener, outbox, session = make()
    async with opener.open():
        pass
    assert session.commits == 1
    assert outbox.inserted == outbox.enqueued == []


async def test_only_declared_types_are_published():
    """A type that the worker does not emit is a mistake of the program."""
    opener, _, _ = make()
    with pytest.raises(NotEmittedError):
        async with opener.open() as transaction:
            transaction.publish(UserDeleted(user_id="u", revision=1))
