"""Project on the real servers of the test stack."""

import asyncio

import aiohttp
import pytest

from deploy.embedded.keys import internal_file
from libs.chassis.mongo import open_mongo
from libs.chassis.security import InternalTokenSigner, Principal
from libs.chassis.settings import load_settings
from libs.crypto import FieldSealer, KeyRing
from libs.events import BusSettings
from libs.events.catalog import UserVerified
from libs.events.rabbitmq import open_bus
from libs.kernel import UserId, new_id
from services.auth.settings import AuthSettings
from services.project.repository import MongoProjectRepository
from services.project.settings import ProjectSettings


@pytest.fixture
def settings(stack, monkeypatch) -> ProjectSettings:
    """Settings of a project process of the test stack."""
    return _load(stack, monkeypatch, "project", ProjectSettings)


@pytest.fixture
async def database(settings):
    """The service's own database, with its indexes."""
    async with open_mongo(settings) as opened:
        sealer = FieldSealer(KeyRing.from_file(settings.storage_keys_file))
        await MongoProjectRepository(opened, sealer).create_indexes()
        yield opened


class ProjectClient:
    """Talks to a project process as the gateway would."""

    def __init__(self, session, base_url: str, signer: InternalTokenSigner) -> None:
        self._session = session
        self._base_url = base_url
        self._signer = signer

    async def ask(self, user_id: str | None, method: str, path: str, **options):
        """Return status and parsed body of a request of a user, or of nobody."""
        principal = Principal(user_id, "s-1") if user_id else Principal.anonymous()
        token = self._signer.token("project", principal)
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        url = f"{self._base_url}/api/v1/projects{path}"
        async with self._session.request(
            method, url, headers=headers, **options
        ) as response:
            body = (
                await response.json(content_type=None)
                if response.status != 204
                else None
            )
            return response.status, body


@pytest.fixture(scope="session")
def project_stack(stack):
    """The stack with its project process running."""
    stack.start("project")
    return stack


@pytest.fixture
async def client(project_stack):
    """A client of the project process of the stack."""
    stack = project_stack
    signer = InternalTokenSigner(internal_file(stack.stack, "gateway"), "gateway")
    async with aiohttp.ClientSession() as session:
        yield ProjectClient(session, stack.stack.url("project"), signer)


@pytest.fixture
async def auth_bus(stack, monkeypatch):
    """The bus of auth, to say what auth would say of users."""
    auth = _load(stack, monkeypatch, "auth", AuthSettings)
    bus_settings = BusSettings(
        service="auth",
        instance_id="test-1",
        amqp_url=auth.amqp_url.get_secret_value(),
    )
    async with (
        open_mongo(auth) as auth_database,
        open_bus(bus_settings, auth_database) as bus,
    ):
        yield bus


@pytest.fixture
async def verified_user(auth_bus, database):
    """Make users that project knows as active, by event alone."""
    sealer = FieldSealer(KeyRing.generate())

    async def make() -> UserId:
        user_id = UserId(new_id())
        async with auth_bus.transaction() as tx:
            tx.publish(
                UserVerified(
                    user_id=user_id,
                    revision=2,
                    display_name="Ann",
                    locale="en",
                    email=sealer.seal("ann@example.org", "test"),
                )
            )
        async with asyncio.timeout(10):
            while not await database["users"].find_one({"_id": user_id}):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return user_id

    return make


def _load(stack, monkeypatch, service: str, cls):
    for name, value in stack.service_environment(service).items():
        monkeypatch.setenv(name, str(value))
    return load_settings(cls)
