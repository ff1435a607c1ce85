"""Fixtures of all tests: the stack of real servers, and the whole house."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, settings

from tests.support.forged_tokens import Canary
from tests.support.loops import EndingLoop
from tests.support.stack import RunningStack, go_up, running_stack

# A busy machine is slow: no example fails for its time, no strategy for taking long.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

# As it comes, structlog draws an exception with every local of every frame: one line
# held the loop for up to seconds, and the tests' own deadlines ran out meanwhile.
*_processors, _ = structlog.get_config()["processors"]
_plain = structlog.dev.ConsoleRenderer(
    colors=False, exception_formatter=structlog.dev.plain_traceback
)
structlog.configure(processors=[*_processors, _plain])


def pytest_asyncio_loop_factories() -> Mapping[
    str, Callable[[], asyncio.AbstractEventLoop]
]:
    """Run every test on a loop that ends what the test leaves half closed."""
    return {"ending": EndingLoop}


gc.disable()  # until all is imported: a third of that time was spent on looking


def pytest_collection_finish() -> None:
    """Take what lives to the end out of the garbage collector's sight.

    Thirteen thousand tests and all modules: to look through them again and again held
    the loop of whichever test ran for half a second.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Real servers on ports of their own, started once a test run."""
    with running_stack("run") as running:
        yield running


@pytest.fixture(scope="session")
def house(stack: RunningStack) -> RunningStack:
    """The same stack with every service and the edge running."""
    go_up(stack.stack, ())
    return stack


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    """A server that nobody of ours must ever ask."""
    sings = Canary()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", sings.answer)
    async with TestServer(app) as server:
        sings.url = str(server.make_url("/jwks.json"))
        yield sings


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line on the terminal, whatever is captured."""
    plugins = request.config.pluginmanager
    reporter, capture = (
        plugins.getplugin(name) for name in ("terminalreporter", "capturemanager")
    )

    def tell_line(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    return tell_line
