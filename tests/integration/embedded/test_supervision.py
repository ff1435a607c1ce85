"""A stack starts once, comes back after kills, and leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pymongo import MongoClient
from redis import Redis

from deploy.embedded.control import is_supervised
from deploy.embedded.errors import PortTakenError, StackError
from deploy.embedded.launch import bring_up
from deploy.embedded.layout import DEFAULT_ROOT, open_stack
from deploy.embedded.orphans import processes_of
from deploy.embedded.ports import OFFSETS, is_free
from tests.support.stack import (
    RunningStack,
    claimed_base,
    go_down,
    go_up,
    throw_away,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

SERVERS = ("epmd", "rabbitmq", "mongod", "valkey", "seaweedfs", "smtp", "fcm")
QUICK = ("valkey", "smtp")


@contextlib.contextmanager
def down_stack(name: str) -> Iterator[RunningStack]:
    """Yield a stack that nothing runs of yet; thrown away at the end."""
    with claimed_base() as base:
        stack = open_stack(DEFAULT_ROOT / "test" / f"{name}-{os.getpid()}", base)
        try:
            yield RunningStack(stack)
        finally:
            throw_away(stack)


@pytest.fixture(scope="module")
def lasting() -> Iterator[RunningStack]:
    """A stack of this file's own, that tests may stop and kill."""
    with down_stack("own") as stack:
        yield stack


@pytest.fixture
def fresh() -> Iterator[RunningStack]:
    """A stack of the test's own, for one that needs few servers of it."""
    with down_stack("fresh") as stack:
        yield stack


@pytest.fixture
def own(lasting) -> RunningStack:
    """The stack of this file, with all servers running."""
    if not runs_whole(lasting):
        go_up(lasting.stack, ("servers",))
    return lasting


def runs_whole(stack: RunningStack) -> bool:
    """Tell whether all servers run: an `up` would still apply the topology."""
    if not is_supervised(stack.stack):
        return False
    states = {row["name"]: row["state"] for row in stack.status()["programs"]}
    return {states.get(name) for name in SERVERS} == {"ready"}


def listeners(stack: RunningStack) -> list[int]:
    """Return the ports of a stack's block that somebody listens on."""
    base = stack.stack.base
    return [base + offset for offset in OFFSETS.values() if not is_free(base + offset)]


def sockets_outside(stack: RunningStack) -> list[str]:
    """Return SeaweedFS's sockets in the machine's folder that carry a stack's ports."""
    ports = {str(stack.stack.base + offset) for offset in OFFSETS.values()}
    paths = Path("/tmp").glob("seaweedfs-*.sock")  # noqa: S108 - SeaweedFS's choice
    return [path.name for path in paths if path.stem.rpartition("-")[2] in ports]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be counted does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition, seconds: float, what: str) -> None:
    """Wait until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def test_second_up_leaves_everything_as_it_is(own):
    """`up` on a running stack starts nothing again."""
    before = {name: own.pid(name) for name in SERVERS}
    go_up(own.stack, ("servers",))
    assert {name: own.pid(name) for name in SERVERS} == before


def test_two_ups_at_the_same_time_make_one_stack(fresh):
    """Commands on one stack wait for each other; none starts a second supervisor."""
    failures = []

    def bring() -> None:
        try:
            go_up(fresh.stack, QUICK)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    threads = [threading.Thread(target=bring) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    commands = [process.cmdline() for process in processes_of(fresh.stack)]
    assert sum("deploy.embedded.guard" in command for command in commands) <= 1
    assert sum("valkey-server" in command[0] for command in commands) == 1


@pytest.mark.parametrize("victim", ["mongod", "valkey", "rabbitmq", "epmd", "smtp"])
def test_killed_server_comes_back(own, victim):
    """A process that dies is started again, on a port nobody else then holds."""
    killed = own.kill(victim)
    own.wait_ready(victim, seconds=60)
    assert own.pid(victim) != killed
    assert own.restarts()[victim] >= 1
    health = {row["name"]: row["health"] for row in own.status()["programs"]}
    assert health[victim] == "ok"


def test_acknowledged_data_survives_kill_of_the_stores(own):
    """What MongoDB and Valkey acknowledged is there after kill -9."""
    with MongoClient(own.database_url("chat")) as client:
        client["parley_chat"].kept.insert_one({"_id": time.time_ns()})
        count = client["parley_chat"].kept.count_documents({})
    with Redis.from_url(own.redis_url("chat")) as client:
        client.set("chat:kept", "yes")
    time.sleep(1.2)  # Valkey's file is written every second
    for victim in ("mongod", "valkey"):
        own.kill(victim)
        own.wait_ready(victim)
    with MongoClient(own.database_url("chat")) as client:
        assert client["parley_chat"].kept.count_documents({}) == count
    with Redis.from_url(own.redis_url("chat")) as client:
        assert client.get("chat:kept") == b"yes"


def test_down_leaves_nothing_and_the_next_up_finds_the_data(own):
    """`down` ends every process and listener; `up` brings the same data back."""
    marker = time.time_ns()
    with MongoClient(own.database_url("auth")) as client:
        client["parley_auth"].kept.insert_one({"_id": marker})
    secret = own.secret("auth", "auth_mongo_url")
    supervisor = own.supervisor_pid()
    go_down(own.stack)
    assert not is_alive(supervisor)
    assert sockets_outside(own) == []
    assert processes_of(own.stack) == []
    assert listeners(own) == []
    assert not is_supervised(own.stack)
    go_up(own.stack, ("servers",))
    assert own.secret("auth", "auth_mongo_url") == secret
    with MongoClient(own.database_url("auth")) as client:
        assert client["parley_auth"].kept.find_one({"_id": marker}) is not None
    assert "rebuilding indices" not in own.log_path("rabbitmq").read_text()[-2000:]


def test_kill_of_the_supervisor_leaves_no_orphan(own):
    """With the supervisor gone, all its processes and listeners go within seconds."""
    os.kill(own.supervisor_pid(), signal.SIGKILL)
    until(lambda: not processes_of(own.stack), 10, "orphans run on")
    until(lambda: not listeners(own), 5, "orphans listen on")


def guards_of(stack: RunningStack) -> list[psutil.Process]:
    """Return the stack's guards: one, but for a moment after it was killed."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "deploy.embedded.guard" in words and str(stack.root) in words:
                found.append(process)
    return found


def test_killed_guard_is_replaced(own):
    """The guard itself is watched."""
    (guard,) = guards_of(own)
    guard.kill()
    until(lambda: guards_of(own) not in ([], [guard]), 10, "no new guard")


def test_up_after_a_killed_supervisor_and_guard_starts_anew(own):
    """Even what nobody was left to end does not get in the way of the next `up`."""
    supervisor = psutil.Process(own.supervisor_pid())
    supervisor.suspend()
    for guard in guards_of(own):
        guard.kill()
    supervisor.kill()
    until(lambda: not supervisor.is_running(), 5, "the supervisor runs on")
    go_up(own.stack, ("servers",))
    assert own.status()["programs"]


def test_stopped_program_stays_stopped_until_it_is_started(own):
    """`stop` is not mistaken for a crash."""
    own.stop("smtp")
    time.sleep(1)
    assert is_free(own.port("smtp"))
    own.start("smtp", {"PARLEY_PROBE": "1"})
    assert psutil.Process(own.pid("smtp")).environ()["PARLEY_PROBE"] == "1"


def test_running_stack_does_not_change_its_ports(own):
    """Another base on a running stack is refused, not half applied."""
    other = open_stack(own.root, own.stack.base - 100)
    with pytest.raises(StackError, match=f"runs on ports from {own.stack.base}"):
        go_up(other, QUICK)


def test_hang_up_does_not_end_the_stack(own):
    """Losing the terminal is no reason to stop."""
    os.kill(own.supervisor_pid(), signal.SIGHUP)
    time.sleep(0.3)
    assert own.status()["programs"]


def test_taken_port_is_named_with_its_owner(own):
    """Who finds a port taken learns which, by whom and for what."""
    own.stop("valkey")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", own.port("valkey")))
        thief.listen()
        last = list(bring_up(own.stack, ["valkey"]))[-1]
    assert last["failed"] == "valkey"
    assert last["reason"] == str(
        PortTakenError(own.port("valkey"), "valkey", _command_of(os.getpid()))
    )
    go_up(own.stack, ("valkey",))


def test_program_that_does_not_start_is_told_with_its_log(own):
    """The error holds the last lines of the program's own log."""
    own.stop("valkey")
    append_only = own.root / "data" / "valkey" / "appendonlydir"
    shutil.move(append_only, own.root / "aside")
    append_only.write_text("no folder")
    try:
        last = list(bring_up(own.stack, ["valkey"]))[-1]
        assert last["failed"] == "valkey"
        assert "last lines of" in last["reason"]
        assert "appendonly" in last["reason"]
    finally:
        append_only.unlink()
        shutil.move(own.root / "aside", append_only)
    go_up(own.stack, ("valkey",))


def test_stack_can_move_to_other_ports(fresh):
    """A stopped stack may be brought up on another block; its data come along."""
    marker = time.time_ns()
    go_up(fresh.stack, ("mongod",))
    with MongoClient(fresh.database_url("chat")) as client:
        client["parley_chat"].moved.insert_one({"_id": marker})
    go_down(fresh.stack)
    with claimed_base() as base:
        moved = RunningStack(open_stack(fresh.root, base))
        go_up(moved.stack, ("mongod",))
        with MongoClient(moved.database_url("chat")) as client:
            assert client["parley_chat"].moved.find_one({"_id": marker})
        go_down(moved.stack)
    go_up(fresh.stack, ("mongod",))
    with MongoClient(fresh.database_url("chat")) as client:
        assert client["parley_chat"].moved.find_one({"_id": marker})


def _command_of(pid: int) -> str:
    return f"pid {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
