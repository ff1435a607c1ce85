"""The real edge before the real gateway before a service that tells what arrives."""

import contextlib
import itertools
import json
import urllib.request
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest

from deploy.embedded.layout import HOST, open_stack
from deploy.embedded.servers.nginx import edge_form
from deploy.nginx.form import Deadlines
from tests.integration.gateway.conftest import ISSUER
from tests.support.edge import Answer, EdgeProcess, running_edge
from tests.support.forged_tokens import Tokens
from tests.support.stack import claimed_base

OPEN = "/api/v1/media/open/echo"
"""A route that needs no token; the service tells what it got."""

_innocents = itertools.count()


@dataclass(frozen=True)
class Front:
    """A gateway behind an edge, and what the service behind both has seen."""

    edge: EdgeProcess
    upstream_url: str
    gateway_port: int
    tokens: Tokens

    def counts(self) -> Counter[str]:
        """Return how many requests the service has seen, by last segment."""
        address = f"{self.upstream_url}/_counts"
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
            return Counter(json.load(answer))

    def ask(
        self, path: str, *headers: str, method: str = "GET", source: str = HOST
    ) -> Answer:
        """Send one good request."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Connection: close"]
        return self.edge.say("\r\n".join([*lines, *headers, "", ""]), source=source)

    def innocent(self, mark: str) -> dict[str, Any]:
        """Ask as somebody who has done nothing; return what the service told them.

        Each comes from a network of its own: nobody else's requests count against it.
        """
        number = next(_innocents)
        source = f"127.{100 + number // 250 % 100}.{number % 250}.1"
        answer = self.ask(f"{OPEN}?{mark}", source=source)
        assert answer.status == 200, answer
        told: dict[str, Any] = json.loads(answer.body)
        return told

    def bearer(self) -> str:
        """Return a fresh user's authorisation."""
        return f"Authorization: Bearer {self.tokens.access()}"


@contextlib.contextmanager
def _front(folder, gateway_process, upstream, signing_key, **changes):
    _, port, _ = gateway_process
    with claimed_base() as base:
        stack = open_stack(folder / "stack", base)
        # One worker: attacker and innocent share its connections to the gateway.
        form = replace(
            edge_form(stack), gateways=(f"{HOST}:{port}",), workers=1, **changes
        )
        with running_edge(stack, form) as edge:
            yield Front(edge, upstream, port, Tokens(signing_key, ISSUER))


@pytest.fixture(scope="session")
def make_front(tmp_path_factory, gateway_process, upstream, signing_key):
    """Make an edge before the gateway, with changes to its form."""

    def make(**changes):
        folder = tmp_path_factory.mktemp("front")
        return _front(folder, gateway_process, upstream, signing_key, **changes)

    return make


@pytest.fixture(scope="session")
def front(make_front):
    """The edge with the sizes of every installation, and shorter waits."""
    with make_front(deadlines=Deadlines(3, 3, 5, 1)) as found:
        yield found
