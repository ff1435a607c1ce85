"""Signing keys are rotated under load: real auth, real gateway (JW-4)."""

import asyncio
import shutil
import time

import aiohttp
import jwt
import pytest

from libs.crypto import SigningKey
from services.auth.repository.signing_keys import (
    locked,
    read_schedule,
    write_schedule,
)
from tests.integration.auth.conftest import Client, join, running_auth
from tests.integration.auth.gateway_process import running_gateway

pytestmark = pytest.mark.integration
LEAD_SECONDS = 3
"""Instead of 300, with a gateway that fetches keys each second instead of each 30."""


def _rotate(path, kid):
    with locked(path):
        now = int(time.time())
        changed = read_schedule(path).rotated(
            SigningKey.generate(kid), now, LEAD_SECONDS
        )
        write_schedule(path, changed, now)


class Load:
    """Asks the gateway with the newest token, 50 times a second."""

    def __init__(self, client, http, gateway_url, tokens):
        self._client = client
        self._http = http
        self._url = f"{gateway_url}/api/v1/me"
        self._tokens = tokens
        self.kids = set()
        self.statuses = []

    async def run(self, path):
        """Rotate twice meanwhile, and end when the last key signs."""
        async with asyncio.TaskGroup() as group:
            for number in (1, 2):
                await asyncio.to_thread(_rotate, path, f"rotated{number}")
                while f"rotated{number}" not in self.kids:
                    await self._renew()
                    for _ in range(10):
                        group.create_task(self._ask(self._tokens["access_token"]))
                        await asyncio.sleep(0.02)

    async def _renew(self):
        body = {"refresh_token": self._tokens["refresh_token"]}
        status, self._tokens, _ = await self._client.post("refresh", body)
        assert status == 200
        header = jwt.get_unverified_header(self._tokens["access_token"])
        self.kids.add(header["kid"])

    async def _ask(self, token):
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.get(self._url, headers=headers) as answer:
            self.statuses.append(answer.status)


async def test_jw_4_two_rotations_at_fifty_requests_a_second_refuse_nobody(
    stack, tmp_path, mailbox, email
):
    """JW-4: 0 wrong 401 while the key changes twice; every key has signed."""
    path = tmp_path / "signing-keys.json"
    own = stack.service_environment("auth")["AUTH_SIGNING_KEYS_FILE"]
    shutil.copy(own, path)
    path.chmod(0o600)
    with running_auth(stack, tmp_path, AUTH_SIGNING_KEYS_FILE=str(path)) as process:
        async with (
            aiohttp.ClientSession() as http,
            running_gateway(
                stack, process.url, tmp_path, GATEWAY_KEYS_FRESH_SECONDS="1"
            ) as gateway_url,
        ):
            client = Client(process, http)
            await join(client, mailbox, email)
            tokens, _ = await client.login(email)
            load = Load(client, http, gateway_url, tokens)
            await load.run(path)
    assert len(load.kids) == 3
    assert set(load.statuses) == {200}
    assert len(load.statuses) >= 100
