"""Media's adapters and its process on the real servers of the test stack."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from libs.chassis.mongo import open_mongo
from libs.chassis.principals import Principal
from libs.chassis.security import InternalTokenSigner
from libs.chassis.settings import MongoSettings, load_settings
from libs.events import BusSettings
from libs.events.rabbitmq import open_bus
from libs.kernel import new_id
from services.media.settings import MediaSettings
from services.media.storage import S3Options, open_s3


@pytest.fixture
def settings(stack, monkeypatch):
    """Settings of a media process of the test stack."""
    environment = stack.service_environment("media") | direct_access(stack)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(MediaSettings)


def direct_access(stack):
    """Let clients reach the store without the edge, which these tests do not need."""
    return {"MEDIA_S3_PUBLIC_URL": f"http://127.0.0.1:{stack.port('s3')}"}


@pytest.fixture
async def database(settings):
    """The service's own database."""
    async with open_mongo(settings) as database:
        yield database


@pytest.fixture
def s3_options(settings):
    """How the service reaches its bucket."""
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        credentials_file=settings.s3_credentials_file,
    )


@pytest.fixture
async def s3(s3_options):
    """The service's object store."""
    async with open_s3(s3_options) as store:
        yield store


@pytest.fixture(scope="module")
def media_process(stack):
    """A media process of the stack, with links that lead straight to the store.

    If media ran there before, it runs again as before when the module is done.
    """
    programs = stack.status()["programs"]
    ran = any(item["name"] == "media" and item["pid"] for item in programs)
    stack.stop("media")
    environment = direct_access(stack) | {"MEDIA_MAX_DOCUMENT_BYTES": "3000000"}
    stack.start("media", environment)
    yield stack
    stack.stop("media")
    if ran:
        stack.start("media", {})


@dataclass
class Answer:
    """Status and JSON body of an answer."""

    status: int
    body: dict


class Caller:
    """Somebody who asks media, as the gateway would for them."""

    def __init__(self, http, signer, user_id):
        self._http = http
        self._signer = signer
        self.user_id = user_id

    async def ask(self, method, path, json=None):
        """Send one request to media."""
        token = self._signer.token("media", Principal(self.user_id, new_id()))
        headers = {"Authorization": f"Bearer {token}"}
        if json is not None:
            headers["Content-Type"] = "application/json"
        url = f"/api/v1/media/{path}"
        async with self._http.request(method, url, json=json, headers=headers) as got:
            is_empty = got.status == 204
            return Answer(
                got.status, {} if is_empty else await got.json(content_type=None)
            )

    async def announce(self, content, name="photo.png", declared="image/png", **where):
        """Announce an upload; return the answer."""
        body = {"file_name": name, "content_type": declared, "size_bytes": len(content)}
        return await self.ask("POST", "uploads", body | where)

    async def send(self, upload, content):
        """Send the bytes with the ticket; return the store's status."""
        ticket = upload["upload"]
        async with self._http.request(
            ticket["method"], ticket["url"], data=content, headers=ticket["headers"]
        ) as got:
            return got.status

    async def upload(self, content, name="photo.png", declared="image/png", **where):
        """Announce, send and complete; return the document's id."""
        announced = await self.announce(content, name, declared, **where)
        assert announced.status == 201, announced
        assert await self.send(announced.body, content) == 200
        document_id = announced.body["document_id"]
        completed = await self.ask("POST", f"uploads/{document_id}/complete")
        assert completed.status == 202, completed
        return document_id

    async def settled(self, document_id, seconds=20):
        """Return the document as soon as its checks are done."""
        limit = time.monotonic() + seconds
        while True:
            answer = await self.ask("GET", f"documents/{document_id}")
            if answer.body.get("status") != "processing":
                return answer.body
            assert time.monotonic() < limit, answer
            await asyncio.sleep(0.05)

    async def fetch(self, path):
        """Follow a link; return status, headers and bytes."""
        link = await self.ask("GET", path)
        assert link.status == 200, link
        async with self._http.get(link.body["url"]) as got:
            return got.status, got.headers, await got.read()


@pytest.fixture
async def someone(media_process):
    """Return a function that makes a user who can ask media."""
    environment = media_process.service_environment("gateway")
    signer = InternalTokenSigner(
        Path(environment["GATEWAY_INTERNAL_KEY_FILE"]), "gateway"
    )
    url = f"http://127.0.0.1:{media_process.port('media')}"
    async with aiohttp.ClientSession(url, skip_auto_headers=["Content-Type"]) as http:
        yield lambda: Caller(http, signer, new_id())


@pytest.fixture
async def emit(stack):
    """Return a function that publishes an event as the service that owns it."""
    async with AsyncExitStack() as opened:
        buses = {}

        async def emitted(service, event):
            if service not in buses:
                buses[service] = await opened.enter_async_context(
                    bus_of(stack, service)
                )
            async with buses[service].transaction() as transaction:
                transaction.publish(event)

        yield emitted


@asynccontextmanager
async def bus_of(stack, service):
    """Open a bus that publishes in the name of another service."""
    settings = MongoSettings(
        mongo_url=stack.database_url(service), mongo_database=f"parley_{service}"
    )
    instance = BusSettings(
        service=service, instance_id="media-test", amqp_url=stack.admin_amqp_url
    )
    async with open_mongo(settings) as database, open_bus(instance, database) as bus:
        yield bus
