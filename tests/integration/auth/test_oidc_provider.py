"""A real OpenID provider, the real gateway, the real auth: in, linked, and out."""

import asyncio
import json
import re
import secrets
import time
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from tests.integration.auth.conftest import Client, join, running_auth
from tests.integration.auth.gateway_process import running_gateway
from tests.integration.auth.provider_rig import OIDC, ProviderRig
from tests.support import clients

pytestmark = pytest.mark.integration


class Rig:
    """A gateway, an auth that knows the provider, and the provider."""

    def __init__(self, url, origin, process):
        self.url = url
        self.origin = origin
        self.process = process


class Person:
    """A browser: cookies of the provider, and of us."""

    def __init__(self, rig, http):
        self.rig = rig
        self.http = http
        self.cookies = {}

    async def call(self, method, path, body=None, token="", **headers):
        """Ask the gateway as the web client does; return status, body, headers."""
        sent = {"Origin": self.rig.origin, "X-Parley-Client": "web"} | headers
        sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = self.rig.url + path
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(
                method, url, json=body, headers=sent, allow_redirects=False
            ) as answer,
        ):
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, answer.headers

    async def code(self, name, query=""):
        """Go to the provider, sign in there, come back; return what is brought."""
        status, _, headers = await self.call("GET", f"{OIDC}/start{query}")
        assert status == 302
        address = await self.approve(headers["Location"], name)
        parts = urlsplit(address)
        assert address.startswith(self.rig.origin)
        status, _, headers = await self.call("GET", f"{parts.path}?{parts.query}")
        assert status == 303
        location = headers["Location"]
        assert location.startswith(f"{self.rig.origin}/sign-in#oidc_")
        return dict(parse_qsl(urlsplit(location).fragment))

    async def approve(self, address, name):
        """Sign in and consent on the provider's own pages; return its redirect."""
        form = None
        while not address.startswith(f"{self.rig.origin}{OIDC}/callback"):
            method = "GET" if form is None else "POST"
            async with self.http.request(
                method, address, data=form, allow_redirects=False
            ) as page:
                text = await page.text()
                if page.status in (302, 303):
                    address, form = str(page.url.join(_url(page))), None
                    continue
                assert page.status == 200, text
                prompt = re.search(r'name="prompt" value="(\w+)"', text)
                action = re.search(r'action="([^"]+)"', text)
                form = {"prompt": prompt.group(1), "login": name, "password": "x"}
                address = str(page.url.join(aiohttp.client.URL(action.group(1))))
        return address

    async def sign_out_there(self):
        """End the session at the provider, on its own page."""
        async with self.http.get(f"{self.rig.provider_url}/session/end") as page:
            text = await page.text()
        xsrf = re.search(r'name="xsrf" value="(\w+)"', text).group(1)
        form = {"xsrf": xsrf, "logout": "yes"}
        url = f"{self.rig.provider_url}/session/end/confirm"
        async with self.http.post(url, data=form) as page:
            assert page.status == 200


def _url(page):
    return aiohttp.client.URL(page.headers["Location"], encoded=True)


@asynccontextmanager
async def _rig(stack, folder):
    provider = ProviderRig(folder)
    with running_auth(stack, folder, **provider.settings()) as process:
        async with running_gateway(stack, process.url, folder) as url:
            with clients.running_provider(provider.given(process.origin, url)):
                rig = Rig(url, process.origin, process)
                rig.provider_url = provider.url
                yield rig


async def test_person_signs_in_links_and_is_signed_out_by_a_real_provider(
    stack, tmp_path, mailbox, email
):
    """OI-1, OI-2: code with PKCE, a new account, a link, and back-channel logout."""
    if missing := clients.missing_for_node():
        pytest.skip(missing)
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        _rig(stack, tmp_path) as rig,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        name = f"ann{secrets.token_hex(4)}"
        ann = Person(rig, http)
        token = await _sign_in(ann, name)
        status, me, _ = await ann.call("GET", "/api/v1/me", token=token)
        assert (status, me["email"]) == (200, f"{name}@acme.test")
        assert (me["display_name"], me["locale"]) == (f"The {name}", "de")
        await _again_it_is_the_same_user(ann, name, me["user_id"])
        token = await _steps_up(ann, name, token)
        await ann.sign_out_there()
        await _refused_within_a_second(ann, token)
        await _links(rig, http, mailbox, email)


async def _sign_in(person, name):
    found = await person.code(name)
    body = {"code": found["oidc_code"], "use_cookie": True}
    path = "/api/v1/auth/oidc/exchange"
    status, tokens, _ = await person.call("POST", path, body)
    assert status == 200, tokens
    assert "__Host-parley_refresh" in person.cookies
    status, renewed, _ = await person.call("POST", "/api/v1/auth/refresh")
    assert status == 200, renewed
    return renewed["access_token"]


async def _again_it_is_the_same_user(person, name, user_id):
    token = await _sign_in(person, name)
    _, me, _ = await person.call("GET", "/api/v1/me", token=token)
    assert me["user_id"] == user_id


async def _steps_up(person, name, token):
    """Prove it again there, though the provider knows the browser still."""
    found = await person.code(name, "?purpose=step_up")
    body = {"oidc_code": found["oidc_step_up_code"]}
    path = "/api/v1/auth/step-up"
    status, renewed, _ = await person.call("POST", path, body, token=token)
    assert status == 200, renewed
    return renewed["access_token"]


async def _refused_within_a_second(person, token):
    started = time.monotonic()
    while True:
        status, body, _ = await person.call("GET", "/api/v1/me", token=token)
        if status == 401:
            assert body["code"] == "session_revoked"
            return
        assert time.monotonic() - started < 1
        await asyncio.sleep(0.02)


async def _links(rig, http, mailbox, email):
    """Link an identity to an account that has a password, and come in with it."""
    await join(Client(rig.process, http), mailbox, email)
    bob, name = Person(rig, http), f"bob{secrets.token_hex(4)}"
    body = {"email": email, "password": "correct horse battery"}
    status, tokens, _ = await bob.call("POST", "/api/v1/auth/login", body)
    assert status == 200
    token = tokens["access_token"]
    found = await bob.code(name, "?purpose=link")
    link = {"code": found["oidc_link_code"]}
    path = "/api/v1/me/identities"
    status, refused, _ = await bob.call("POST", path, link, token=token)
    assert status == 204, refused
    again = await _sign_in(bob, name)
    _, me, _ = await bob.call("GET", "/api/v1/me", token=again)
    assert me["user_id"] == tokens["user_id"]
