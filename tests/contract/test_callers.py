"""AZ-1: what is no internal token for a service opens none of its routes.

The caller ``pre_mfa`` (who has the token of a sign-in that waits for its second
factor) and all others that no service knows, at every route of every service.
"""

import re
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from fastapi import APIRouter
from pydantic_settings import SettingsConfigDict

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.principals import Principal
from libs.chassis.settings import ServiceSettings
from libs.chassis.tokens import sign_token
from libs.crypto import SigningKey
from libs.kernel import FrozenClock, new_id
from services.auth.api import ROUTERS as AUTH
from services.chat.api import ROUTERS as CHAT
from services.media.api import ROUTERS as MEDIA
from services.notification.api import router as notification
from services.project.api import ROUTERS as PROJECT
from tests.support.asgi import AsgiClient, InternalCallers
from tests.support.forged_tokens import Tokens

ROUTERS: dict[str, list[APIRouter]] = {
    "auth": list(AUTH),
    "chat": list(CHAT),
    "media": list(MEDIA),
    "notification": [notification],
    "project": list(PROJECT),
}
KNOWN = {
    "auth": "/api/v1/me",
    "chat": "/api/v1/drafts",
    "media": "/api/v1/media/documents",
    "notification": "/api/v1/devices",
    "project": "/api/v1/projects",
}
"""A route of each for the caller's own."""

PUBLIC = {"/api/v1/auth/jwks.json"}
"""What services fetch before they could have a token: public keys."""

USER = Principal(new_id(), new_id())


@dataclass
class Service:
    """A service's routes, with nothing behind them: who gets in would fail there."""

    name: str
    client: AsgiClient
    callers: InternalCallers

    @property
    def operations(self) -> list[tuple[str, str]]:
        """Every method and path, its parameters filled in with ids."""
        return [
            (method, re.sub(r"\{[a-z_]+\}", new_id(), route.path))
            for router in ROUTERS[self.name]
            for route in router.routes
            for method in sorted(route.methods)
            if route.path not in PUBLIC
        ]

    def header_of(self, caller: str) -> dict[str, str]:
        """Return what a caller sends as its proof."""
        if caller == "nobody":
            return {}
        return {"authorization": f"Bearer {self._token(caller)}"}

    def _token(self, caller: str) -> str:
        if caller == "pre_mfa":
            return secrets.token_urlsafe(32)  # as `SecondFactorGate` makes them
        if caller == "personal":
            return f"parley_pat_{secrets.token_urlsafe(32)}"
        if caller == "browser":
            return Tokens(SigningKey.generate("k1"), "https://x.test").access()
        signer = self.callers.signer()
        if caller == "for another service":
            return signer.token("elsewhere", USER)
        if caller == "of a stranger":
            key, at = SigningKey.generate("gateway:1"), signer._clock.now().timestamp()
            times = {"iat": int(at), "exp": int(at) + 60}
            who = {"sub": USER.user_id, "sid": USER.session_id, "roles": []}
            claims = {"iss": "gateway", "aud": self.name, "scope": "", "jti": new_id()}
            return sign_token(key, claims | who | times, typ="internal+jwt")
        past = self.callers.signer()
        past._clock = FrozenClock()
        return past.token(self.name, USER)


CALLERS = (
    "nobody",
    "pre_mfa",
    "personal",
    "browser",
    "for another service",
    "of a stranger",
    "of the past",
)


@pytest.fixture(params=ROUTERS)
async def service(request, tmp_path):
    """Each service in turn."""
    callers = InternalCallers(tmp_path)

    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix=f"{request.param.upper()}_")

    settings = Settings(
        port=23599,
        public_url="http://localhost:23500",
        internal_jwks_file=callers.jwks_file,
        data_dir=tmp_path,
        environment="test",
    )

    @asynccontextmanager
    async def lifespan(_):
        yield {}

    app = create_http_app(
        settings,
        lifespan=lifespan,
        routers=ROUTERS[request.param],
        title=request.param,
        health=Health(),
    )
    async with AsgiClient(app) as client:
        yield Service(request.param, client, callers)


@pytest.mark.parametrize("caller", CALLERS)
async def test_az_1_no_other_token_opens_any_route(service, caller) -> None:
    """AZ-1, MF-3: 401 before anything else is looked at, on every route."""
    headers = service.header_of(caller)
    wrong = {}
    for method, path in service.operations:
        answer = await service.client.request(method, path, headers=headers)
        code = answer.json().get("code") if answer.status >= 400 else None
        if (answer.status, code) != (401, "internal_token_invalid"):
            wrong[method, path] = (answer.status, code)
    assert wrong == {}


async def test_az_1_who_is_known_gets_in(service) -> None:
    """AZ-1: the same routes know who asks, so the refusals mean something."""
    headers = service.callers.headers(service.name, Principal.anonymous())
    answer = await service.client.request("GET", KNOWN[service.name], headers=headers)
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
