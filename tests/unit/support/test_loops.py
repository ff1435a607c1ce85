"""A test leaves no socket to the garbage collector."""

import asyncio
import gc
import socket
import warnings

import pytest

from tests.support.loops import EndingLoop

MORE_THAN_BUFFERS_TAKE = 64_000_000


async def write_to_one_who_does_not_read(port: int, *, is_closed: bool) -> None:
    """Leave a transport with unsent bytes, told to close or not."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    transport.write(bytes(MORE_THAN_BUFFERS_TAKE))
    if is_closed:
        transport.close()


def complaints(factory: type[asyncio.SelectorEventLoop], *, is_closed: bool) -> int:
    """Return how many sockets the garbage collector finds open afterwards."""
    with (
        warnings.catch_warnings(record=True) as found,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        warnings.simplefilter("always")
        port = listener.getsockname()[1]
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(write_to_one_who_does_not_read(port, is_closed=is_closed))
        del runner
        gc.collect()
    return sum("unclosed transport" in str(warning.message) for warning in found)


@pytest.mark.parametrize(
    ("factory", "left"), [(EndingLoop, 0), (asyncio.SelectorEventLoop, 1)]
)
def test_what_was_told_to_close_is_ended(factory, left) -> None:
    """Bytes that nobody reads keep no socket past its test; a plain loop does."""
    assert complaints(factory, is_closed=True) == left


def test_what_nobody_closed_is_still_found() -> None:
    """A socket that was forgotten is a fault of the code."""
    assert complaints(EndingLoop, is_closed=False) == 1


async def test_every_test_runs_on_it() -> None:
    """The loop of an asynchronous test is one of these."""
    assert isinstance(asyncio.get_running_loop(), EndingLoop)
