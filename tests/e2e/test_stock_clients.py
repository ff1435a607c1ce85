"""The official Socket.IO client passes the story, in Node and in a browser page."""

import asyncio

import pytest

from scripts.demo.client import Person
from tests.support import clients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

STEPS = [
    "polling is refused",
    "a wrong token is refused with its code",
    "two people connect, one with two devices, and subscribe",
    "a message is acknowledged and delivered, the same in both",
    "a resend answers with the first result",
    "a refused event is acknowledged with its code",
    "the second device hears it too",
    "an edit over HTTP arrives live",
    "typing is told",
    "a read marker is told",
    "a token is renewed on the open socket",
    "after a lost connection the client comes back and catches up",
    "then it is live again",
    "a flood ends in resync and a close",
    "and the client may come back",
    "a sign-out ends every socket of the session",
]
REVOKED_MS = 1_000


async def given_to(neighbours) -> dict[str, object]:
    """Return who talks and where; Ada gets a newer token of her session too."""
    ada, grace = neighbours.ada, neighbours.grace
    first_token = ada.access_token
    await ada.refresh()
    return {
        "edge_url": ada.edge_url,
        "group_id": neighbours.names["group"],
        "ada": who(ada) | {"token": first_token, "renewed_token": ada.access_token},
        "grace": who(grace),
    }


def who(person: Person) -> dict[str, str]:
    """Return what a client knows of its user."""
    return {"user_id": person.user_id, "token": person.access_token}


async def test_the_official_client_in_node_passes_the_story(neighbours) -> None:
    """Connect, talk, fail, edit, renew, lose the network, flood, sign out."""
    reason = clients.missing_for_node()
    if reason:
        pytest.skip(reason)
    given = await given_to(neighbours)
    told = await asyncio.to_thread(clients.tell, "node.mjs", given)
    assert told["steps"] == STEPS
    assert told["revoked_ms"] <= REVOKED_MS


async def test_the_official_client_in_a_browser_passes_the_story(neighbours) -> None:
    """The same from a page of the edge's own origin, with the browser's WebSocket."""
    reason = clients.missing_for_browser()
    if reason:
        pytest.skip(reason)
    given = await given_to(neighbours)
    given["executable"] = str(clients.CHROMIUM)
    told = await asyncio.to_thread(clients.tell, "browser.mjs", given)
    assert told["steps"] == STEPS
    assert told["origin"] == neighbours.ada.edge_url
    assert told["revoked_ms"] <= REVOKED_MS
