"""Commands whose asker went away still end well, and the next one finds its way."""

import asyncio

import psutil
import pytest

from deploy.embedded import supervisor as supervising
from deploy.embedded.child import Child
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack, open_stack
from deploy.embedded.plan import ordered
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import NotReadyError
from deploy.embedded.supervisor import Supervisor

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SLOW = """
trap "sleep 0.6; echo stopped >> {0}; exit 0" TERM
touch {0}.hears
while :; do sleep 0.05; done
"""


def slow_program(stack: Stack, name: str, *after: str) -> Program:
    """Return a program that takes 0.6 s to stop, and then writes that it did."""
    command = ("/bin/sh", "-c", SLOW.format(stack.root / name))

    async def hears() -> None:
        if not (stack.root / f"{name}.hears").exists():
            raise NotReadyError("a signal now would end it without a word")

    return Program(
        name=name,
        group=Group.SERVER,
        command=command,
        after=after,
        prepare=lambda: (stack.root / f"{name}.hears").unlink(missing_ok=True),
        settle=hears,
    )


@pytest.fixture
def stack(tmp_path) -> Stack:
    """A folder of its own; nothing in it listens."""
    stack = open_stack(tmp_path / "stack")
    stack.folder()
    return stack


@pytest.fixture
async def supervisor(stack, monkeypatch):
    """A supervisor of two slow programs, the second of which needs the first."""
    programs = ordered(
        [slow_program(stack, "base"), slow_program(stack, "top", "base")]
    )
    monkeypatch.setattr(supervising, "programs_of", lambda _: programs)
    monkeypatch.setattr(supervising, "write_secret_files", lambda _: None)
    supervisor = Supervisor(stack)
    yield supervisor
    await last(supervisor.discard())


async def last(messages) -> dict:
    """Return the last message of an answer, which must come within 10 s."""
    message: dict = {}
    async with asyncio.timeout(10):
        async for message in messages:  # noqa: B007 - the last one counts
            pass
    return message


async def abandon(messages, seconds: float = 0.2) -> None:
    """Read an answer's beginning and go away, as an interrupted command does."""
    try:
        async with asyncio.timeout(seconds):
            async for _ in messages:
                pass
    except TimeoutError:
        await messages.aclose()


def pid_of(supervisor: Supervisor, name: str) -> int:
    """Return a program's pid; it must run."""
    pid = supervisor._keepers[name].pid
    assert pid is not None
    return pid


async def test_down_ends_by_itself_when_its_asker_goes_away(supervisor, stack):
    """Everything is stopped in good order and the supervisor may exit."""
    await last(supervisor.up([]))
    await abandon(supervisor.down())
    async with asyncio.timeout(20):
        await supervisor.stopped.wait()
    assert (stack.root / "base").read_text() == "stopped\n"
    assert (stack.root / "top").read_text() == "stopped\n"


async def test_second_down_waits_for_the_first(supervisor, stack):
    """Nobody is told that all is stopped while a program is still stopping."""
    await last(supervisor.up([]))
    await abandon(supervisor.down())
    async with asyncio.timeout(10):
        while not (stack.root / "top").exists():  # noqa: ASYNC110 - a program writes it
            await asyncio.sleep(0.01)
    assert not supervisor.stopped.is_set()
    await last(supervisor.down())
    assert (stack.root / "base").read_text() == "stopped\n"
    async with asyncio.timeout(10):
        await supervisor.stopped.wait()


async def test_nothing_is_started_while_the_stack_goes_down(supervisor):
    """`up` during a `down` is refused by the supervisor, instead of waiting."""
    await last(supervisor.up([]))
    await abandon(supervisor.down())
    with pytest.raises(StackError, match="going down"):
        await last(supervisor.up([]))


async def test_up_after_an_abandoned_stop_brings_everything_back(supervisor):
    """Stops that live on do not end what was started after them."""
    await last(supervisor.up([]))
    before = pid_of(supervisor, "base")
    await abandon(supervisor.stop(["base", "top"]))
    answer = await last(supervisor.up([]))
    assert answer["ready"]
    after = {name: pid_of(supervisor, name) for name in ("base", "top")}
    await asyncio.sleep(1.5)
    assert {name: pid_of(supervisor, name) for name in after} == after
    assert after["base"] != before


async def test_up_fails_when_another_command_stops_what_it_waits_for(
    supervisor, monkeypatch
):
    """Who waits for a program that is stopped meanwhile is told so."""
    never = Program(
        name="never", group=Group.SERVER, command=("/bin/sleep", "60"), settle=refuse
    )
    monkeypatch.setattr(supervising, "programs_of", lambda _: {"never": never})
    waiting = asyncio.create_task(last(supervisor.up([])))
    await asyncio.sleep(0.3)
    await last(supervisor.stop(["never"]))
    answer = await waiting
    assert answer["failed"] == "never"
    assert "stopped meanwhile" in answer["reason"]


async def test_up_has_a_limit(supervisor, monkeypatch):
    """A start in which nothing moves any more is a failure, not a wait for ever."""

    async def hang(*_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(supervising, "_PATIENCE_SECONDS", -39.0)
    monkeypatch.setattr(Child, "spawn", hang)
    answer = await last(supervisor.up([]))
    assert answer["failed"] == "base"
    assert "nothing moves" in answer["reason"]


async def test_second_up_says_that_nothing_was_started(supervisor):
    """The answer of an `up` that had nothing to do is one message."""
    first = await last(supervisor.up([]))
    assert not first["was_ready"]
    again = [message async for message in supervisor.up([])]
    assert again == [{"ready": True, "was_ready": True}]


async def test_discard_kills_what_is_being_stopped_gently(supervisor, stack):
    """Throwing away does not wait for a good end that has begun."""
    await last(supervisor.up([]))
    pid = pid_of(supervisor, "base")
    await abandon(supervisor.down(), 0.1)
    await last(supervisor.discard())
    assert not psutil.pid_exists(pid)
    assert [path.name for path in stack.root.glob("base")] == []
    assert supervisor._keepers["base"].restarts == 0


async def refuse() -> None:
    """Be never ready."""
    raise NotReadyError("never")
