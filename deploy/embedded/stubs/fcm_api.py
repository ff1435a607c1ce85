"""FCM's HTTP v1 interface and Google's token endpoint, as far as a sender sees them.

Source: Firebase, "FCM REST API" (projects.messages.send, ErrorCode) and Google
Identity, "Using OAuth 2.0 for server to server applications".
"""

import json
import secrets
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.embedded.keys import FCM_PROJECT, fcm_account_file
from deploy.embedded.layout import Stack
from deploy.embedded.stubs.fcm_message import message_error
from libs.kernel import new_id

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = ("firebase.messaging", "cloud-platform")
_GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
"""What google-auth writes as audience, whatever address the account names."""
_TOKEN_SECONDS = 3600
_KEPT_MESSAGES = 10_000
_ANY_TOKEN = "*"  # noqa: S105 - a wildcard, no secret

FAILURES = {
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED", "Quota exceeded."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered."),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", "The request is invalid."),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch."),
}
"""What `POST /behaviour` can order: HTTP status, Google's status, its sentence."""


@dataclass
class Order:
    """The next answers to one device token."""

    failure: str
    retry_after_seconds: int | None = None


@dataclass
class _Ledger:
    sent: deque[dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=_KEPT_MESSAGES)
    )
    calls: deque[dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=_KEPT_MESSAGES)
    )
    orders: defaultdict[str, deque[Order]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    bearers: dict[str, float] = field(default_factory=dict)


class PushService:
    """Messages taken, failures ordered, bearer tokens issued."""

    def __init__(self, stack: Stack) -> None:
        account = json.loads(fcm_account_file(stack).read_text())
        key = load_pem_private_key(account["private_key"].encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the FCM account holds no RSA key")
        self._account = account
        self._public_key = key.public_key()
        self._ledger = _Ledger()

    def api(self) -> web.Application:
        """Return what answers as fcm.googleapis.com and iamcredentials."""
        application = web.Application()
        application.router.add_post(
            "/v1/projects/{project}/messages:send", self._send_message
        )
        application.router.add_get(
            "/v1/projects/-/serviceAccounts/{email}/allowedLocations", _locations
        )
        return application

    def control(self) -> web.Application:
        """Return the token endpoint and the test's view."""
        application = web.Application()
        application.router.add_post("/token", self._issue_token)
        application.router.add_get("/sent", self._list_sent)
        application.router.add_get("/calls", self._list_calls)
        application.router.add_post("/behaviour", self._behave)
        return application

    async def _issue_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            self._check_grant(str(form.get("grant_type")), str(form.get("assertion")))
        except jwt.InvalidTokenError as error:
            problem = {"error": "invalid_grant", "error_description": str(error)}
            return web.json_response(problem, status=400)
        bearer = secrets.token_urlsafe(32)
        self._ledger.bearers[bearer] = time.time() + _TOKEN_SECONDS
        return web.json_response(
            {
                "access_token": bearer,
                "expires_in": _TOKEN_SECONDS,
                "token_type": "Bearer",
            }
        )

    def _check_grant(self, grant: str, assertion: str) -> None:
        """Check the account's signed request for a token.

        Raises:
            jwt.InvalidTokenError: Google would refuse it.
        """
        if grant != _GRANT:
            raise jwt.InvalidTokenError("unsupported grant type")
        claims = jwt.decode(
            assertion,
            self._public_key,
            algorithms=["RS256"],
            audience=[_GOOGLE_TOKEN_URI, self._account["token_uri"]],
            issuer=self._account["client_email"],
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
        if not any(scope in claims.get("scope", "") for scope in _SCOPES):
            raise jwt.InvalidTokenError("no scope for messaging")

    async def _send_message(self, request: web.Request) -> web.Response:
        if not self._is_signed_in(request):
            return _failure(401, "UNAUTHENTICATED", "Invalid credentials.")
        if request.match_info["project"] != FCM_PROJECT:
            return _failure(403, "PERMISSION_DENIED", "Permission denied.")
        try:
            body = await request.json()
        except ValueError:
            return _failure(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        wrong = message_error(body)
        if wrong is not None:
            return _failure(400, "INVALID_ARGUMENT", wrong, "INVALID_ARGUMENT")
        return self._take(body["message"])

    def _take(self, message: dict[str, Any]) -> web.Response:
        token = message.get("token", "")
        order = self._next_order(token)
        call = {"token": token, "at": datetime.now(UTC).isoformat()}
        self._ledger.calls.append(call | {"failure": order.failure if order else None})
        if order is not None:
            status, word, sentence = FAILURES[order.failure]
            answer = _failure(status, word, sentence, order.failure)
            if order.retry_after_seconds is not None:
                answer.headers["Retry-After"] = str(order.retry_after_seconds)
            return answer
        name = f"projects/{FCM_PROJECT}/messages/{new_id()}"
        self._ledger.sent.append(call | {"name": name, "message": message})
        return web.json_response({"name": name})

    def _next_order(self, token: str) -> Order | None:
        for key in (token, _ANY_TOKEN):
            if self._ledger.orders[key]:
                return self._ledger.orders[key].popleft()
        return None

    def _is_signed_in(self, request: web.Request) -> bool:
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        valid_until = self._ledger.bearers.get(bearer, 0)
        return kind == "Bearer" and time.time() < valid_until

    async def _list_sent(self, request: web.Request) -> web.Response:
        return web.json_response(_of_token(self._ledger.sent, request))

    async def _list_calls(self, request: web.Request) -> web.Response:
        return web.json_response(_of_token(self._ledger.calls, request))

    async def _behave(self, request: web.Request) -> web.Response:
        """Order failures: ``{token, failure, count?, retry_after_seconds?}``."""
        order = await request.json()
        if order.get("failure") not in FAILURES:
            text = f"failure is one of {', '.join(FAILURES)}"
            return web.json_response({"error": text}, status=400)
        answer = Order(order["failure"], order.get("retry_after_seconds"))
        orders = self._ledger.orders[order.get("token", _ANY_TOKEN)]
        orders.extend([answer] * int(order.get("count", 1)))
        return web.json_response({})


async def _locations(_: web.Request) -> web.Response:
    """Answer as for an account that may be used everywhere.

    google-auth asks beside its token; source: its `lookup_regional_access_boundary`.
    """
    return web.json_response({"locations": [], "encodedLocations": "0x0"})


def _of_token(
    rows: deque[dict[str, Any]], request: web.Request
) -> list[dict[str, Any]]:
    token = request.query.get("token")
    return [row for row in rows if token is None or row["token"] == token]


def _failure(
    status: int, word: str, sentence: str, code: str | None = None
) -> web.Response:
    error: dict[str, Any] = {"code": status, "message": sentence, "status": word}
    if code is not None:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        error["details"] = [{"@type": kind, "errorCode": code}]
    return web.json_response({"error": error}, status=status)
