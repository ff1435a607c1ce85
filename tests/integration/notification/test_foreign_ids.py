"""What belongs to somebody else is not there: the answer is as for no id at all."""

from typing import Any

import pytest

from libs.chassis.pagination import encode_cursor
from libs.kernel import new_id
from tests.integration.notification.conftest import Outside, eventually
from tests.integration.notification.test_api import Client
from tests.support.stack import RunningStack

pytestmark = pytest.mark.integration


def without_trace(answer: tuple[int, Any]) -> tuple[int, Any]:
    """Return an answer without what differs from request to request."""
    status, problem = answer
    return status, {k: v for k, v in problem.items() if k != "trace_id"}


async def entry_of(client: Client) -> str:
    """Return the id of a user's first entry."""

    async def look() -> Any:
        _, page = await client.call("GET", "/api/v1/notifications")
        return page["items"]

    [entry] = await eventually(look)
    return str(entry["id"])


async def test_az_2_anothers_entry_is_not_found(
    service: RunningStack, outside: Outside, address: str
) -> None:
    """AZ-2: ticked off by its owner alone; a foreign id answers as an unknown one."""
    ada = await outside.verified("ada-" + address, "Ada")
    bob = await outside.verified(address, "Bob")
    conversation = await outside.conversation(ada, bob)
    await outside.say(conversation, ada, "hello there")

    async with Client(service, bob) as owner, Client(service, ada) as other:
        entry_id = await entry_of(owner)
        answers = [
            await other.call("POST", f"/api/v1/notifications/{one}/read")
            for one in (entry_id, new_id(), "none")
        ]
        up_to = await other.call(
            "POST", "/api/v1/notifications/read", {"until_id": entry_id}
        )
        cursor = encode_cursor({"before": new_id()})  # newer than the entry
        _, seen = await other.call("GET", f"/api/v1/notifications?cursor={cursor}")
        _, kept = await owner.call("GET", "/api/v1/notifications?is_unread=true")

    foreign, unknown, malformed = map(without_trace, answers)
    assert (foreign[0], foreign[1]["code"]) == (404, "notification_not_found")
    assert foreign == unknown == malformed
    assert up_to == (200, {"read_count": 0})
    assert seen["items"] == []
    assert [entry["id"] for entry in kept["items"]] == [entry_id]


async def test_az_2_anothers_device_is_not_found(service: RunningStack) -> None:
    """AZ-2, AZ-9: neither listed nor removed; answered as an unknown one."""
    device = {"token": f"device-{new_id()}", "platform": "web", "name": "Browser"}
    async with Client(service, new_id()) as owner, Client(service, new_id()) as other:
        _, registered = await owner.call("POST", "/api/v1/devices", device)
        answers = [
            await other.call("DELETE", f"/api/v1/devices/{one}")
            for one in (registered["id"], new_id(), "none")
        ]
        _, seen = await other.call("GET", "/api/v1/devices")
        _, kept = await owner.call("GET", "/api/v1/devices")

    foreign, unknown, malformed = map(without_trace, answers)
    assert (foreign[0], foreign[1]["code"]) == (404, "device_not_found")
    assert foreign == unknown == malformed
    assert seen["items"] == []
    assert [one["id"] for one in kept["items"]] == [registered["id"]]


async def test_az_2_preferences_are_the_callers_alone(service: RunningStack) -> None:
    """AZ-2: no id of another gets there: the route has none, a query is not one."""
    bob = new_id()
    async with Client(service, bob) as owner, Client(service, new_id()) as other:
        _, before = await other.call("GET", "/api/v1/notification-preferences")
        await owner.call(
            "PUT", "/api/v1/notification-preferences", {**before, "push_enabled": False}
        )
        by_path = await other.call("GET", f"/api/v1/notification-preferences/{bob}")
        by_query = await other.call(
            "GET", f"/api/v1/notification-preferences?user_id={bob}"
        )
        in_body = await other.call(
            "PUT", "/api/v1/notification-preferences", {**before, "user_id": bob}
        )
        _, kept = await owner.call("GET", "/api/v1/notification-preferences")

    assert by_path[0] == 404
    assert by_query == (200, before)
    assert in_body[0] == 422
    assert kept["push_enabled"] is False
