"""The pages of sign-in and account in a real browser, by TLS, at a real edge."""

import asyncio
import secrets
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import aiohttp
import pytest

from deploy.embedded.servers.nginx import edge_form, nginx_file
from deploy.nginx.form import Door
from deploy.nginx.rendering import render
from tests.integration.auth.conftest import (
    PASSWORD,
    Client,
    forget_policies,
    running_auth,
)
from tests.integration.auth.gateway_process import running_gateway
from tests.integration.auth.provider_rig import NAME, ProviderRig, free_port
from tests.support import clients

pytestmark = pytest.mark.integration

STEPS = [
    "an address is confirmed with the password of its registration",
    "a passkey is enrolled where one is required",
    "the passkey alone signs in",
    "the passkey is the second factor",
    "a recovery code is the second factor",
    "a passkey steps up, and what asked for it goes on",
    "a person takes along what is held on them, whole or not at all",
    "an account is deleted after a warning, the address and a fresh proof",
    "its owner comes back within the grace and keeps it",
    "a provider signs in, and an app is enrolled where one is required",
    "the last way in stays",
    "with a passkey the identity may go",
]
EDGE_SECONDS = 15


@contextmanager
def _running_edge(stack, folder, port, gateway_url):
    """Run nginx as the edge of a gateway of the test's own, by TLS alone."""
    address = f"127.0.0.1:{port}"
    form = replace(
        edge_form(stack.stack),
        site=Door(("localhost",), (), (address,)),
        files=Door(("localhost",), (), (f"127.0.0.1:{free_port()}",)),
        origins=(f"https://localhost:{port}",),
        gateways=(gateway_url.removeprefix("http://"),),
        site_log=str(folder / "edge.log"),
        files_log=str(folder / "files.log"),
    )
    (folder / "temp").mkdir()
    (folder / "nginx.conf").write_text(render(form))
    command = (
        str(nginx_file()),
        "-p",
        f"{folder}/",
        "-c",
        "nginx.conf",
        "-e",
        "stderr",
    )
    with subprocess.Popen(command) as child:
        try:
            yield
        finally:
            child.terminate()


@asynccontextmanager
async def _rig(stack, folder, **settings):
    """Run a house where everyone must have a second factor; yield auth and origin."""
    await forget_policies(stack)  # those of other tests on these servers
    port, provider = free_port(), ProviderRig(folder)
    origin = f"https://localhost:{port}"
    own = {
        "AUTH_PUBLIC_URL": origin,
        "AUTH_SECOND_FACTOR_ROLES": "*",
        "AUTH_EVEN_ANSWER_SECONDS": "0",
    }
    with running_auth(stack, folder, **own, **provider.settings()) as process:
        async with running_gateway(
            stack, process.url, folder, GATEWAY_PUBLIC_URL=origin
        ) as url:
            with (
                _running_edge(stack, folder, port, url),
                clients.running_provider(provider.given(origin, url)),
            ):
                await _ready(origin)
                yield process, origin


async def _ready(origin):
    async with asyncio.timeout(EDGE_SECONDS), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{origin}/sign-in", ssl=False) as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


async def test_mf_3_two_people_sign_in_with_a_browser(stack, tmp_path, mailbox, email):
    """MF-3: password, passkey, recovery code, provider and app, no policy violated."""
    if missing := clients.missing_for_browser():
        pytest.skip(missing)
    async with _rig(stack, tmp_path) as (process, origin):
        body = {"email": email, "password": PASSWORD, "display_name": "Ann"}
        async with aiohttp.ClientSession() as http:
            assert (await Client(process, http).post("register", body))[0] == 202
        given = {
            "token": await mailbox.token(email),
            "executable": str(clients.CHROMIUM),
            "origin": origin,
            "email": email,
            "password": PASSWORD,
            "provider": NAME,
            "name": f"ann{secrets.token_hex(4)}",
        }
        told = await asyncio.to_thread(clients.tell, "people.mjs", given)
    assert told == {"steps": STEPS, "complaints": []}
