"""A program with an account of its own: through the edge, over REST and a socket."""

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager

import pytest

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person

pytestmark = pytest.mark.e2e

WHY = {"reason": "for the build"}
SCOPES = ["conversations:read", "conversations:write", "profile:read"]


@pytest.fixture
async def admin(house, neighbours):
    """Ada, whom the command makes an admin until the test is over."""
    ada = neighbours.ada
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "admin", "appoint", ada.email),
        env=dict(os.environ) | house.service_environment("auth"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert json.loads(out)["roles"] == ["admin"]
    await ada.refresh()
    return ada


@asynccontextmanager
async def _program(edge_url, token):
    """A client with a personal token and nothing else."""
    async with Person(edge_url, "", "", "Builder") as program:
        program.access_token = token
        yield program


async def _refusal(call):
    try:
        await call
    except ApiError as error:
        return error.status, error.code
    return None


async def _gone_within_a_second(program):
    """Return the refusal that a token meets, a second after its end at the latest."""
    limit = time.monotonic() + 1
    while (refusal := await _refusal(program.call("GET", "me"))) is None:
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)
    return refusal


async def _patiently(call):
    """Repeat a call until the service has heard of whom it is about."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await call()
            except ApiError as error:
                if error.status not in (400, 404):
                    raise
                await asyncio.sleep(0.05)


async def test_a_bot_talks_and_dies_with_its_token(admin, neighbours):
    """Made, brought in, connected, heard and hearing; cut off within a second."""
    grace = neighbours.grace
    handle = f"bot-{new_id()[-12:]}"
    wish = {"display_name": "Builder", "handle": handle, **WHY}
    bot = await admin.call("POST", "admin/bots", wish)
    bot_path = f"admin/bots/{bot['user_id']}"
    made = await admin.call(
        "POST", f"{bot_path}/tokens", {"name": "ci", "scopes": SCOPES, **WHY}
    )
    group_path = f"conversations/{neighbours.names['group']}"
    await _patiently(
        lambda: admin.call("POST", f"{group_path}/members", {"handle": handle})
    )
    members = (await grace.call("GET", f"{group_path}/members"))["items"]
    bots = [one["user_id"] for one in members if one["is_bot"]]
    assert bots == [bot["user_id"]]
    async with _program(admin.edge_url, made["token"]) as program:
        assert (await program.call("GET", "me"))["is_bot"] is True
        refused = (403, "insufficient_scope")
        assert await _refusal(program.call("GET", "admin/bots")) == refused
        assert await _refusal(program.call("GET", "me/tokens")) == refused
        await _talk(program, grace, made, neighbours.names["group"])
        revoke = f"{bot_path}/tokens/{made['token_id']}/revoke"
        started = time.monotonic()
        await admin.call("POST", revoke, WHY)
        _, at = await program.wait_live("session.revoked", 2)
        assert at - started < 1
        async with asyncio.timeout(1):
            while program.socket.connected:  # noqa: ASYNC110 - the library's own
                await asyncio.sleep(0.02)
        short = program.access_token
        for token in (short, made["token"]):
            program.access_token = token
            status, _ = await _gone_within_a_second(program)
            assert status == 401


async def _talk(program, grace, made, group_id):
    """Exchange the token, connect, send and hear an answer."""
    exchanged = await program.call("POST", "auth/token", {"token": made["token"]})
    assert exchanged["session_id"] == made["token_id"]
    program.access_token = exchanged["access_token"]
    await program.come_online(group_id)
    await grace.come_online(group_id)
    for speaker, listener, text in (
        (program, grace, "The build is green."),
        (grace, program, "Thank you, machine."),
    ):
        message = {
            "conversation_id": group_id,
            "client_message_id": new_id(),
            "text": text,
        }
        answer = await speaker.emit("message.send", message)
        heard, _ = await listener.wait_live(
            "message.sent", conversation_id=group_id, revision=answer["revision"]
        )
        assert heard["message"]["text"] == text


async def test_sr_6_a_suspended_bots_tokens_die_together(admin):
    """SR-6: over the edge, by what suspends people; reinstated it needs new ones."""
    bot = await admin.call("POST", "admin/bots", {"display_name": "Builder", **WHY})
    wish = {"name": "ci", "scopes": ["profile:read"], **WHY}
    path = f"admin/bots/{bot['user_id']}/tokens"
    made = [await admin.call("POST", path, wish) for _ in range(2)]
    for one in made:
        async with _program(admin.edge_url, one["token"]) as program:
            assert (await program.call("GET", "me"))["user_id"] == bot["user_id"]
    user = f"admin/users/{bot['user_id']}"
    await admin.call("POST", f"{user}/suspend", WHY)
    for one in made:
        async with _program(admin.edge_url, one["token"]) as program:
            assert (await _gone_within_a_second(program))[0] == 401
    await admin.call("POST", f"{user}/reinstate", WHY)
    assert (await admin.call("GET", path))["items"] == []
