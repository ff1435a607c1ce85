"""Auth as a real process on real servers, and its surroundings."""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import aio_pika
import aiohttp
import pytest
from pymongo import AsyncMongoClient

from libs.chassis.security import InternalTokenSigner, Principal
from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.kernel import new_id

PASSWORD = "correct horse battery"
READY_SECONDS = 30


class AuthProcess:
    """One running auth process and how the gateway would talk to it."""

    def __init__(self, stack, port, log_file, pid):
        self.stack = stack
        self.pid = pid
        self.url = f"http://127.0.0.1:{port}"
        self.log_file = log_file
        self.origin = stack.service_environment("auth")["AUTH_PUBLIC_URL"]
        gateway = stack.service_environment("gateway")
        key_file = Path(gateway["GATEWAY_INTERNAL_KEY_FILE"])
        self._signer = InternalTokenSigner(key_file, "gateway")

    def headers(self, principal=None, address="10.9.8.7"):
        """Return what the gateway sends along."""
        token = self._signer.token("auth", principal or Principal.anonymous())
        return {"Authorization": f"Bearer {token}", "X-Client-Address": address}


class Client:
    """Calls one auth process."""

    def __init__(self, process, http):
        self.process = process
        self.http = http

    async def call(self, method, path, body=None, *, principal=None, **options):
        """Return status, body and headers of one call."""
        address = options.pop("address", "10.9.8.7")
        headers = self.process.headers(principal, address) | options.pop("headers", {})
        async with self.http.request(
            method, f"{self.process.url}{path}", json=body, headers=headers, **options
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None, response

    async def post(self, name, body, **options):
        """Call a route below ``/api/v1/auth/``."""
        return await self.call("POST", f"/api/v1/auth/{name}", body, **options)

    async def login(self, email, password=PASSWORD, **options):
        """Sign in and return the tokens and the principal."""
        body = {"email": email, "password": password, "device_name": "test"}
        status, tokens, _ = await self.post("login", body, **options)
        assert status == 200, tokens
        who = Principal(tokens["user_id"], tokens["session_id"], ("member",))
        return tokens, who


class Mailbox:
    """Reads the tokens of mails from the exchange, as notification does."""

    def __init__(self, ring):
        self._sealer = FieldSealer(ring)
        self.events = []

    async def take(self, frame):
        """Keep the events of one frame."""
        async with frame.process():
            self.events += json.loads(frame.body)

    async def token(
        self, email, kind="account.verification_requested", *, field="email", seconds=10
    ):
        """Return the newest token of a kind that was sent to an address."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for event in reversed(self.events):
                if event["type"] == kind and self._open(event, field) == email:
                    return self._open(event, "token")
            await asyncio.sleep(0.02)
        raise AssertionError(f"no mail to {email} among {len(self.events)}")

    async def seen(self, *types, session_id=None, seconds=10):
        """Wait until an event of each type, of one session if given, has come."""
        async with asyncio.timeout(seconds):
            while not set(types) <= self._types(session_id):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _types(self, session_id):
        return {
            event["type"]
            for event in self.events
            if session_id is None or event["data"].get("session_id") == session_id
        }

    def _open(self, event, field):
        wire = event["data"][field]
        sealed = Sealed(wire["k"], base64.b64decode(wire["c"]))
        return self._sealer.open(
            sealed, event["id"], event["type"], field, event["subject"]
        )


@contextmanager
def running_auth(stack, folder, **settings):
    """Run ``python -m services.auth`` on a free port until the block is left."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log_file = folder / f"auth-{port}.jsonl"
    environment = (
        dict(os.environ)
        | stack.service_environment("auth")
        | {
            "AUTH_PORT": str(port),
            "AUTH_INSTANCE_ID": f"test-{port}",
            "AUTH_LOG_FILE": str(log_file),
            "AUTH_BCRYPT_COST": "10",
            "AUTH_LOGIN_ADDRESS_FAILURES": "10000",
            "AUTH_EVEN_ANSWER_SECONDS": "0",
        }
        | settings
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "services.auth"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_ready(port, child)
        yield AuthProcess(stack, port, log_file, child.pid)
    finally:
        child.terminate()
        output, _ = child.communicate(timeout=20)
    assert child.returncode == 0, output


def _wait_ready(port, child):
    limit = time.monotonic() + READY_SECONDS
    while time.monotonic() < limit:
        assert child.poll() is None, child.stdout.read()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
                link.sendall(b"GET /health/ready HTTP/1.0\r\nHost: auth\r\n\r\n")
                if b"200" in link.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("auth was not ready in time")


@pytest.fixture(scope="session")
def auth(stack, tmp_path_factory):
    """One auth process for all tests of this folder."""
    with running_auth(stack, tmp_path_factory.mktemp("auth")) as process:
        yield process


@asynccontextmanager
async def opened_mailbox(stack):
    """Listen to what auth emits, until the block is left."""
    ring_file = stack.service_environment("notification")[
        "NOTIFICATION_ACCOUNT_TRANSPORT_KEYS_FILE"
    ]
    box = Mailbox(KeyRing.from_file(Path(ring_file)))
    connection = await aio_pika.connect(stack.admin_amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for exchange in ("account.events", "session.events", "user.events"):
            await queue.bind(exchange, "#")
        await queue.consume(box.take)
        yield box


@pytest.fixture
async def mailbox(stack):
    """Everything auth emits from now on."""
    async with opened_mailbox(stack) as box:
        yield box


@pytest.fixture
async def client(auth):
    """An HTTP client of the process."""
    async with aiohttp.ClientSession() as http:
        yield Client(auth, http)


@pytest.fixture
def email():
    """An address that no other test uses."""
    return f"ann-{new_id()}@example.test"


@pytest.fixture
async def ann(client, mailbox, email):
    """The address of an active user."""
    return await join(client, mailbox, email)


async def forget_policies(stack):
    """Let the settings count again: what was stored outlives the process it was for."""
    async with AsyncMongoClient(stack.admin_mongo_url) as mongo:
        await mongo["parley_auth"]["policies"].delete_many({})


async def join(client, mailbox, email, name="Ann"):
    """Register and verify through HTTP; return the address."""
    body = {"email": email, "password": PASSWORD, "display_name": name}
    status, answer, _ = await client.post("register", body)
    assert status == 202, answer
    token = await mailbox.token(email)
    body = {"token": token, "password": PASSWORD}
    status, answer, _ = await client.post("verify", body)
    assert status == 200, answer
    return email


@pytest.fixture
async def database(stack):
    """The servers' databases, as an administrator sees them."""
    async with AsyncMongoClient(stack.admin_mongo_url, tz_aware=True) as client:
        yield client


async def told_of_deletion(mailbox, user_id):
    """Return ids of the events that tell of a deletion, once there is one."""
    async with asyncio.timeout(20):
        while True:
            ids = {
                event["id"]
                for event in mailbox.events
                if event["type"] == "user.deleted" and event["subject"] == user_id
            }
            if ids:
                return ids
            await asyncio.sleep(0.05)
