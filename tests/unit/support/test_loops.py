"""A test leaves no socket to the garbage collector."""

import asyncio
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Coroutine

import pytest

from deploy.embedded.certificates import certificate_files, ensure_certificates
from deploy.embedded.layout import open_stack
from tests.support.loops import EndingLoop

MORE_THAN_BUFFERS_TAKE = 64_000_000


async def write_to_one_who_does_not_read(port: int, *, is_closed: bool) -> None:
    """Leave a transport with unsent bytes, told to close or not."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    transport.write(bytes(MORE_THAN_BUFFERS_TAKE))
    if is_closed:
        transport.close()


def complaints(factory: type[asyncio.SelectorEventLoop], work: Coroutine) -> int:
    """Return how many sockets the garbage collector finds open afterwards."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(work)
        del runner, work
        gc.collect()
    return sum("unclosed transport" in str(warning.message) for warning in found)


@pytest.fixture
def port():
    """A port on which connections are taken and nothing is read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("factory", "left"), [(EndingLoop, 0), (asyncio.SelectorEventLoop, 1)]
)
def test_what_was_told_to_close_is_ended(factory, left, port) -> None:
    """Bytes that nobody reads keep no socket past its test; a plain loop does."""
    work = write_to_one_who_does_not_read(port, is_closed=True)
    assert complaints(factory, work) == left


def test_what_nobody_closed_is_still_found(port) -> None:
    """A socket that was forgotten is a fault of the code."""
    work = write_to_one_who_does_not_read(port, is_closed=False)
    assert complaints(EndingLoop, work) == 1


@pytest.fixture
def tls_port(tmp_path):
    """The port of a TLS server that shakes hands and never says farewell."""
    stack = open_stack(tmp_path)
    ensure_certificates(stack)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate_files(stack, "edge"))
    is_over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True):
            is_over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        is_over.set()
        thread.join()


async def shake_hands(port: int, *, is_closed: bool) -> None:
    """Leave a transport under TLS, told to close or not."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(
        asyncio.Protocol, "127.0.0.1", port, ssl=trust
    )
    if is_closed:
        transport.close()


@pytest.mark.parametrize(
    ("factory", "is_closed", "left"),
    [
        (EndingLoop, True, 0),
        (asyncio.SelectorEventLoop, True, 1),
        (EndingLoop, False, 2),  # TLS's own transport, and the one below it
    ],
)
def test_nobody_waits_for_a_farewell(factory, is_closed, left, tls_port) -> None:
    """The same under TLS."""
    work = shake_hands(tls_port, is_closed=is_closed)
    assert complaints(factory, work) == left


async def test_every_test_runs_on_it() -> None:
    """The loop of an asynchronous test is one of these."""
    assert isinstance(asyncio.get_running_loop(), EndingLoop)
