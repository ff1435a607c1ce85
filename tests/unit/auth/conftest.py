"""Auth's use cases over memory: the same composition as in production."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from libs.chassis.app import create_http_app
from libs.chassis.audit import MemoryAuditTrail
from libs.chassis.freshness import STEP_UP_FRESH
from libs.chassis.health import Health
from libs.chassis.principals import Principal
from libs.crypto import FieldSealer, KeyRing, SigningKeys
from libs.events import Worker
from libs.events.catalog import (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountPasswordChanged,
    AccountPasswordGuessed,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountSessionReused,
    AccountVerificationRequested,
)
from libs.events.memory import InMemoryBus
from libs.kernel import FrozenClock, new_id
from services.auth.api import FORMS, ROUTERS, AuthState
from services.auth.app import (
    Adapters,
    ConfiguredProviders,
    Counters,
    DeletionStores,
    Heard,
    IdentityStores,
    ProfileStores,
    Stores,
    auth_state,
)
from services.auth.cache import (
    MemoryAnnouncer,
    MemoryGuessThrottle,
    MemoryMailThrottle,
)
from services.auth.consumers import worker as declared
from services.auth.domain import (
    Actor,
    ClientDevice,
    Provider,
    Providers,
)
from services.auth.repository import (
    MemoryCeremonyRepository,
    MemoryCredentialRepository,
    MemoryDeletionQueue,
    MemoryErasureRepository,
    MemoryInviteRepository,
    MemoryLease,
    MemoryLinkRepository,
    MemoryLogoutRepository,
    MemoryPendingSignInRepository,
    MemoryPersonalTokenRepository,
    MemoryPictureRepository,
    MemoryPreferencesRepository,
    MemoryProviderFlowRepository,
    MemoryProviderLinkRepository,
    MemoryRoleRepository,
    MemorySecondFactorPolicyRepository,
    MemorySecondFactorRepository,
    MemorySessionRepository,
    MemoryUserRegister,
    MemoryUserRepository,
)
from services.auth.service import PasswordHasher, PasswordLists
from services.auth.settings import AuthSettings
from tests.support.asgi import AsgiClient, InternalCallers
from tests.support.identity_provider import StubProvider

MAILED = (
    AccountDeletionCancelled,
    AccountDeletionRequested,
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountPasswordChanged,
    AccountPasswordGuessed,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountSessionReused,
    AccountVerificationRequested,
)
PASSWORD = "correct horse battery"
EMAIL = "ann@example.test"
ADDRESS = "10.0.0.1"
AUTH = "/api/v1/auth"
PROVIDERS = (
    Provider(
        provider_id="acme",
        name="Acme",
        issuer="https://idp.acme.test",
        client_id="parley",
        allows_registration=True,
        mail_domains=("acme.test",),
    ),
    Provider(
        provider_id="beta",
        name="Beta",
        issuer="https://idp.beta.test",
        client_id="parley",
        allows_registration=True,
    ),
    Provider(
        provider_id="closed",
        name="Closed",
        issuer="https://idp.closed.test",
        client_id="parley",
    ),
)


@dataclass
class House:
    """Auth without servers, and what its surroundings would see."""

    state: AuthState
    adapters: Adapters
    bus: InMemoryBus
    clock: FrozenClock
    announcer: MemoryAnnouncer
    transport: FieldSealer
    stubs: dict
    configured: ConfiguredProviders
    mails: list = field(default_factory=list)
    stale = STEP_UP_FRESH + timedelta(seconds=1)

    async def register(self, email=EMAIL, *, password=PASSWORD, name="Ann"):
        """Register and return the token of the mail, None if none was sent."""
        before = len(self.mails)
        await self.state["registration"].register(
            email=email, password=password, display_name=name, locale="en"
        )
        await self.bus.settled()
        return self.token() if len(self.mails) > before else None

    async def join(self, email=EMAIL, *, password=PASSWORD, name="Ann"):
        """Register and verify; return the user's id."""
        token = await self.register(email, password=password, name=name)
        return await self.state["registration"].verify(token, password)

    async def login(self, email=EMAIL, *, password=PASSWORD, address=ADDRESS):
        """Sign in."""
        return await self.state["sign_in"].login(
            email=email,
            password=password,
            device=self.device(address),
        )

    def pins(self, monkeypatch):
        """Return the list of accounts that transactions pin from now on."""
        users, pinned = self.adapters.stores.users, []
        pin = users.pin

        async def noted(user_id, session):
            pinned.append(user_id)
            return await pin(user_id, session)

        monkeypatch.setattr(users, "pin", noted)
        return pinned

    def set_up_anew(self, settings):
        """Put the use cases together under other settings, over what is stored."""
        self.state = auth_state(settings, self.adapters, self.configured)

    def device(self, address=ADDRESS):
        """Return where sign-ins come from."""
        return ClientDevice("phone", address, has_cookie=False)

    async def person(self, *roles, name="Bea"):
        """Join, get roles as if given long ago, sign in; return who acts."""
        email = f"{new_id()}@example.test"
        user_id = await self.join(email, name=name)
        if roles:
            await self.change(user_id, roles=roles)
        signed_in = await self.login(email)
        return Actor(user_id, signed_in.session_id, ADDRESS)

    def principal(self, actor, *roles):
        """Return who acts as the gateway tells it."""
        return Principal(actor.user_id, actor.session_id, roles)

    async def change(self, user_id, **fields):
        """Change an account past all rules."""
        users = self.adapters.stores.users
        user = await users.get(user_id, None)
        await users.update(user.changed(self.clock.now(), **fields), None)

    async def user(self, user_id):
        """Return an account as it is stored."""
        return await self.adapters.stores.users.get(user_id, None)

    def token(self):
        """Open the token of the newest mail, as notification does."""
        return self.opened("token")

    def opened(self, field, index=-1):
        """Open a sealed field of a mail."""
        event, event_id = self.mails[index]
        context = (event_id, event.event_type, field, event.event_key)
        return self.transport.open(getattr(event, field), *context)

    async def mailed(self):
        """Return the kinds of mails so far, once all are out."""
        await self.bus.settled()
        return [type(event) for event, _ in self.mails]


def _settings(folder, callers):
    rings = {}
    for name in ("pepper", "refresh", "storage", "account_transport", "audit"):
        path = folder / f"{name}.json"
        path.write_text(KeyRing.generate().to_json())
        path.chmod(0o600)
        rings[f"{name}_keys_file"] = path
    signing = folder / "signing.json"
    signing.write_text(SigningKeys.generate("k1").to_json())
    signing.chmod(0o600)
    return AuthSettings(
        public_url="https://chat.example.test",
        issuer="https://chat.example.test",
        internal_jwks_file=callers.jwks_file,
        data_dir=folder,
        mongo_url="mongodb://nowhere",
        amqp_url="amqp://nowhere",
        redis_url="redis://nowhere",
        even_answer_seconds=0,
        signing_keys_file=signing,
        **rings,
    )


@pytest.fixture(scope="session")
def callers(tmp_path_factory):
    """Keys of the services that may call auth."""
    return InternalCallers(tmp_path_factory.mktemp("callers"), "gateway", "chat")


@pytest.fixture(scope="session")
def settings(tmp_path_factory, callers):
    """Settings with fresh keys."""
    return _settings(tmp_path_factory.mktemp("keys"), callers)


@pytest.fixture(scope="session")
def hasher(settings):
    """A hasher that is cheap enough for unit tests."""
    ring = KeyRing.from_file(settings.pepper_keys_file)
    with PasswordHasher(ring, cost=4, workers=2, waiting_max=200) as made:
        yield made


@pytest.fixture(scope="session")
def password_lists():
    """The lists of frequent passwords, loaded once."""
    with PasswordLists() as made:
        yield made


@pytest.fixture
async def house(settings, hasher, password_lists):
    """Auth over memory adapters, with a mailbox that consumes its events."""
    clock = FrozenClock()
    bus = InMemoryBus("auth", clock=clock)
    announcer = MemoryAnnouncer()
    users, audit = MemoryUserRepository(), MemoryAuditTrail()
    adapters = Adapters(
        bus=bus,
        clock=clock,
        hasher=hasher,
        password_lists=password_lists,
        stores=Stores(
            users=users,
            credentials=MemoryCredentialRepository(),
            links=MemoryLinkRepository(),
            invites=MemoryInviteRepository(),
            sessions=MemorySessionRepository(),
            second_factors=MemorySecondFactorRepository(),
            second_factor_policy=MemorySecondFactorPolicyRepository(),
            pending_sign_ins=MemoryPendingSignInRepository(),
            identities=IdentityStores(
                links=MemoryProviderLinkRepository(),
                flows=MemoryProviderFlowRepository(),
                logouts=MemoryLogoutRepository(),
            ),
            ceremonies=MemoryCeremonyRepository(),
            personal_tokens=MemoryPersonalTokenRepository(),
            profiles=ProfileStores(
                preferences=MemoryPreferencesRepository(),
                pictures=MemoryPictureRepository(),
            ),
            register=MemoryUserRegister(users),
            roles=MemoryRoleRepository(),
            deletions=DeletionStores(
                queue=MemoryDeletionQueue(users), erasures=MemoryErasureRepository()
            ),
            audit=audit,
            audit_reader=audit,
        ),
        counters=Counters(
            announcer=announcer,
            guess_throttle=MemoryGuessThrottle(clock),
            mail_throttle=MemoryMailThrottle(),
        ),
        erasing_lease=MemoryLease(),
    )
    transport = FieldSealer(KeyRing.from_file(settings.account_transport_keys_file))
    stubs = {one.provider_id: StubProvider.of(one) for one in PROVIDERS}
    for stub in stubs.values():
        stub.signer.now = lambda: clock.now().timestamp()
    configured = ConfiguredProviders(Providers(PROVIDERS), stubs)
    made = House(
        auth_state(settings, adapters, configured),
        adapters,
        bus,
        clock,
        announcer,
        transport,
        stubs,
        configured,
    )
    worker = Worker("notification")

    @worker.subscribe(*MAILED, name="mails")
    async def take(event, context):
        made.mails.append((event, context.event_id))

    heard = Heard(made.state["avatars"], made.state["erasure_report"])
    async with bus.run_worker(worker, None), bus.run_worker(declared, heard):
        yield made
    # The bus in memory lets any event pass, the broker only the declared ones.
    assert {type(event) for event in bus.published} <= set(declared.emits)


class Api:
    """The app of one test, called as the gateway would."""

    def __init__(self, client, callers):
        self._client = client
        self._callers = callers

    async def __call__(self, method, path, body=None, *, who=None, headers=None):
        """Send one request."""
        own = self._callers.headers("auth", who or Principal.anonymous())
        return await self._client.request(
            method,
            path,
            json_body=body,
            headers=own | {"x-client-address": "10.0.0.1"} | (headers or {}),
        )

    async def form(self, path, body, kind):
        """Send a body as it is."""
        own = self._callers.headers("auth", Principal.anonymous())
        return await self._client.request(
            "POST", path, body=body, headers=own | {"content-type": kind}
        )

    async def login(self, **extra):
        """Sign in; return tokens and principal."""
        body = {"email": EMAIL, "password": PASSWORD} | extra
        tokens = (await self("POST", f"{AUTH}/login", body)).json()
        return tokens, Principal(tokens["user_id"], tokens["session_id"], ("member",))


@pytest.fixture(scope="session")
def routes(settings):
    """The app, built once for all tests: FastAPI takes a tenth of a second.

    It serves the house that stands in its state.
    """

    @asynccontextmanager
    async def lifespan(app):
        yield app.state.house.state

    return create_http_app(
        settings,
        lifespan=lifespan,
        routers=ROUTERS,
        title="auth",
        health=Health(),
        forms=FORMS,
    )


@pytest.fixture
async def client(house, routes):
    """The routes over the use cases in memory."""
    routes.state.house = house
    async with AsgiClient(routes) as opened:
        yield opened


@pytest.fixture
def api(client, callers):
    """The routes as the gateway calls them."""
    return Api(client, callers)


@pytest.fixture
async def ann(house, api):
    """An active user who is signed in."""
    await house.join()
    _, who = await api.login()
    return who
