"""The routes of notification, called as the gateway calls them."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import pytest

from libs.chassis.security import InternalTokenSigner, Principal
from libs.kernel import new_id
from tests.integration.notification.conftest import Outside
from tests.support.stack import RunningStack

pytestmark = pytest.mark.integration


class Client:
    """Calls the service with an internal token of the gateway."""

    def __init__(self, service: RunningStack, user_id: str) -> None:
        environment = service.service_environment("gateway")
        signer = InternalTokenSigner(
            Path(environment["GATEWAY_INTERNAL_KEY_FILE"]), "gateway"
        )
        principal = Principal(user_id, session_id=new_id(), roles=("member",))
        token = signer.token(audience="notification", principal=principal)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._url = f"http://127.0.0.1:{service.port('notification')}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self._url, headers=self._headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self, method: str, path: str, body: object = None
    ) -> tuple[int, Any]:
        """Call a route; return status and body."""
        assert self._session is not None
        async with self._session.request(method, path, json=body) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None


async def test_list_shows_a_message_until_it_is_read(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """A message is listed with sender and text, and ticked off one by one."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    conversation = await outside.conversation(ada, bob)
    await outside.say(conversation, ada, "hello there")
    await service.wait_mails(address, count=2)

    async with Client(service, bob) as client:
        _, page = await client.call("GET", "/api/v1/notifications?is_unread=true")
        [entry] = page["items"]
        status, _ = await client.call(
            "POST", f"/api/v1/notifications/{entry['id']}/read"
        )
        _, after = await client.call("GET", "/api/v1/notifications?is_unread=true")

    assert (entry["sender_name"], entry["text"]) == ("Ada", "hello there")
    assert status == 204
    assert after["items"] == []


async def test_others_notifications_are_not_found(
    service: RunningStack, outside: Outside
) -> None:
    """Nobody ticks off what is not theirs."""
    async with Client(service, new_id()) as client:
        status, problem = await client.call(
            "POST", f"/api/v1/notifications/{new_id()}/read"
        )

    assert (status, problem["code"]) == (404, "notification_not_found")


async def test_a_token_moves_to_who_registers_it_last(service: RunningStack) -> None:
    """A device belongs to one user at a time."""
    device = {"token": f"device-{new_id()}", "platform": "web", "name": "Browser"}
    async with Client(service, new_id()) as ada, Client(service, new_id()) as bob:
        first = await ada.call("POST", "/api/v1/devices", device)
        again = await ada.call("POST", "/api/v1/devices", device)
        moved = await bob.call("POST", "/api/v1/devices", device)
        _, left = await ada.call("GET", "/api/v1/devices")
        _, owned = await bob.call("GET", "/api/v1/devices")
        gone, _ = await bob.call("DELETE", f"/api/v1/devices/{moved[1]['id']}")

    assert first[1]["id"] == again[1]["id"] != moved[1]["id"]
    assert left["items"] == []
    assert [one["id"] for one in owned["items"]] == [moved[1]["id"]]
    assert gone == 204


async def test_preferences_are_kept(service: RunningStack) -> None:
    """What is put is what is read back; before, the defaults are."""
    chosen = {
        "push_enabled": False,
        "email_enabled": True,
        "include_content": True,
        "quiet_hours": {"start": "22:00", "end": "07:30"},
        "muted_conversation_ids": [new_id()],
    }
    async with Client(service, new_id()) as client:
        _, before = await client.call("GET", "/api/v1/notification-preferences")
        await client.call("PUT", "/api/v1/notification-preferences", chosen)
        _, after = await client.call("GET", "/api/v1/notification-preferences")

    assert before["push_enabled"] is True
    assert before["quiet_hours"] is None
    assert after == chosen


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/notifications?cursor=zzz", None, 400, "cursor_invalid"),
        ("GET", "/api/v1/notifications?limit=0", None, 422, "request_invalid"),
        ("GET", "/api/v1/notifications?is_unread=maybe", None, 422, "request_invalid"),
        ("POST", "/api/v1/notifications/read", {"until_id": "x"}, 422, None),
        ("POST", "/api/v1/devices", {"token": "x"}, 422, "request_invalid"),
        (
            "POST",
            "/api/v1/devices",
            {"token": "t" * 20, "platform": "web", "name": "n", "more": 1},
            422,
            "request_invalid",
        ),
        (
            "POST",
            "/api/v1/devices",
            {"token": "t" * 20, "platform": "fridge", "name": "n"},
            422,
            "request_invalid",
        ),
        ("DELETE", "/api/v1/devices/none", None, 404, "device_not_found"),
        (
            "PUT",
            "/api/v1/notification-preferences",
            {"quiet_hours": {"start": "08:00", "end": "08:00"}},
            400,
            "quiet_hours_empty",
        ),
        (
            "PUT",
            "/api/v1/notification-preferences",
            {"quiet_hours": {"start": "25:00", "end": "08:00"}},
            422,
            "request_invalid",
        ),
        (
            "PUT",
            "/api/v1/notification-preferences",
            {"push_enabled": "yes"},
            422,
            "request_invalid",
        ),
    ],
)
async def test_bad_input_is_refused(  # noqa: PLR0917 - a table's columns
    service: RunningStack,
    method: str,
    path: str,
    body: object,
    status: int,
    code: str | None,
) -> None:
    """Malformed requests get a 4xx with a code, never a 5xx."""
    async with Client(service, new_id()) as client:
        found, problem = await client.call(method, path, body)

    assert found == status
    assert code is None or problem["code"] == code
