"""The health check of a container says what the service says of itself."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from libs.chassis.probe import is_answered


@contextmanager
def answering(status: int) -> Iterator[str]:
    """Serve one status at ``/health/live``; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/live" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/health/live"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "wanted"), [(200, True), (503, False)])
def test_it_tells_whether_the_service_is_alive(status: int, *, wanted: bool) -> None:
    """Only 200 is alive."""
    with answering(status) as url:
        assert is_answered(url) is wanted


def test_nobody_listening_is_not_alive() -> None:
    """A closed port is an answer, not an error."""
    with answering(200) as url:
        pass

    assert is_answered(url) is False
