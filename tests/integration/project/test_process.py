"""A project process on real servers: HTTP in, MongoDB, events out and in."""

import asyncio

import aio_pika
import msgspec
import pytest

from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.events.catalog import UserDeleted, UserSuspended
from libs.kernel import UserId, new_id

pytestmark = pytest.mark.integration


async def test_a_project_is_opened_shared_and_deleted(client, verified_user) -> None:
    """The whole story over HTTP; users are known by event alone."""
    ann, bob = await verified_user(), await verified_user()
    status, project = await client.ask(
        ann, "POST", "", json={"name": "Apollo", "description": "To the moon."}
    )
    assert status == 201
    assert project["revision"] == 1
    assert project["role"] == "owner"
    path = f"/{project['project_id']}"
    assert (await client.ask(bob, "GET", path))[0] == 404
    status, place = await client.ask(
        ann, "POST", f"{path}/collaborators", json={"user_id": bob, "role": "admin"}
    )
    assert (status, place["role"]) == (201, "admin")
    status, page = await client.ask(bob, "GET", "")
    assert [p["project_id"] for p in page["items"]] == [project["project_id"]]
    status, renamed = await client.ask(bob, "PATCH", path, json={"name": "Soyuz"})
    assert (renamed["name"], renamed["revision"]) == ("Soyuz", 3)
    status, _ = await client.ask(
        ann, "PATCH", f"{path}/collaborators/{bob}", json={"role": "owner"}
    )
    assert status == 200
    status, archived = await client.ask(
        bob, "POST", f"{path}/archive", json={"is_archived": True}
    )
    assert (status, archived["is_archived"]) == (200, True)
    assert (await client.ask(ann, "DELETE", f"{path}/collaborators/{ann}"))[0] == 204
    assert (await client.ask(ann, "GET", path))[0] == 404
    assert (await client.ask(bob, "DELETE", path))[0] == 204
    assert (await client.ask(bob, "GET", path))[0] == 404


@pytest.mark.parametrize(
    ("request_line", "body", "status", "code"),
    [
        ("POST ", {}, 422, "request_invalid"),
        ("POST ", {"name": ""}, 422, "request_invalid"),
        ("POST ", {"name": "x" * 81}, 422, "request_invalid"),
        ("POST ", {"name": "   "}, 400, "project_text_invalid"),
        ("POST ", {"name": "a\nb"}, 400, "project_text_invalid"),
        ("POST ", {"name": {"$gt": ""}}, 422, "request_invalid"),
        ("POST ", {"name": "A", "owner_id": "me"}, 422, "request_invalid"),
        ("POST ", {"name": "A", "revision": 9}, 422, "request_invalid"),
        ("POST ", {"name": 7}, 422, "request_invalid"),
        ("POST ", {"name": "A", "description": None}, 422, "request_invalid"),
        ("POST ", [], 422, "request_invalid"),
        ("GET ?limit=0", None, 422, "request_invalid"),
        ("GET ?limit=201", None, 422, "request_invalid"),
        ("GET ?limit[$gt]=1&cursor=nonsense", None, 400, "cursor_invalid"),
        ("GET ?cursor=eyJiZWZvcmUiOiAiJGd0In0", None, 400, "cursor_invalid"),
        ("GET /not-an-id", None, 404, "project_not_found"),
        ("GET /%7B%22$gt%22:%22%22%7D", None, 404, "project_not_found"),
        (f"GET /{'x' * 300}", None, 404, "project_not_found"),
        ("POST /not-an-id/archive", {"is_archived": 1}, 404, None),
        ("PUT ", {"name": "A"}, 405, "method_not_allowed"),
        ("GET /x/y/z", None, 404, "route_not_found"),
    ],
)
async def test_bad_input_gets_a_code(client, request_line, body, status, code) -> None:
    """Whatever comes in, it is a 4xx with a code and never a 5xx."""
    user = new_id()
    method, path = request_line.split(" ", 1)
    options = {} if body is None else {"json": body}
    got, problem = await client.ask(user, method, path, **options)
    assert got in ({status, 422} if code is None else {status}), problem
    if code is not None:
        assert problem["code"] == code


async def test_nobody_and_strangers_are_refused(client) -> None:
    """IN-1: an anonymous principal, and no internal token at all."""
    assert (await client.ask(None, "GET", ""))[0] == 401
    status, problem = await client.ask(
        new_id(), "GET", "", headers={"Authorization": "Bearer x.y.z"}
    )
    assert (status, problem["code"]) == (401, "internal_token_invalid")


async def test_lists_are_paged_by_cursor(client, verified_user) -> None:
    """Every item once, in order, whatever the page's size."""
    ann = await verified_user()
    made = [
        (await client.ask(ann, "POST", "", json={"name": f"P{n}"}))[1]["project_id"]
        for n in range(5)
    ]
    seen, cursor = [], None
    while True:
        query = f"?limit=2{f'&cursor={cursor}' if cursor else ''}"
        _, page = await client.ask(ann, "GET", query)
        seen += [project["project_id"] for project in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_two_owners_cannot_both_leave(client, verified_user) -> None:
    """The race of the last owners: exactly one may go, and revisions have no gap."""
    ann, bob = await verified_user(), await verified_user()
    for _ in range(5):
        _, project = await client.ask(ann, "POST", "", json={"name": "Apollo"})
        path = f"/{project['project_id']}/collaborators"
        await client.ask(ann, "POST", path, json={"user_id": bob, "role": "owner"})
        outcomes = await asyncio.gather(
            client.ask(ann, "DELETE", f"{path}/{ann}"),
            client.ask(bob, "DELETE", f"{path}/{bob}"),
        )
        statuses = sorted(status for status, _ in outcomes)
        assert statuses == [204, 409]
        left = ann if outcomes[1][0] == 204 else bob
        _, after = await client.ask(left, "GET", f"/{project['project_id']}")
        assert after["revision"] == 3


async def test_suspended_and_deleted_users_are_not_brought_in(
    client, verified_user, auth_bus
) -> None:
    """user.suspended and user.deleted reach the projection; 404 user_not_found."""
    ann, bob, cat = [await verified_user() for _ in range(3)]
    _, project = await client.ask(ann, "POST", "", json={"name": "Apollo"})
    path = f"/{project['project_id']}/collaborators"
    async with auth_bus.transaction() as tx:
        tx.publish(UserSuspended(user_id=bob, revision=3, is_suspended=True))
        tx.publish(UserDeleted(user_id=cat, revision=3))
    for user in (bob, cat, UserId(new_id())):
        async with asyncio.timeout(10):
            while True:
                status, problem = await client.ask(
                    ann, "POST", path, json={"user_id": user}
                )
                if status != 201:
                    break
                await client.ask(ann, "DELETE", f"{path}/{user}")
                await asyncio.sleep(0.05)
        assert (status, problem["code"]) == (404, "user_not_found")


async def test_a_foreign_consumer_sees_sealed_cloud_events(
    stack, client, verified_user, settings
) -> None:
    """CloudEvents JSON on project.events, whose name only its ring opens."""
    ann = await verified_user()
    connection = await aio_pika.connect(stack.admin_amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("project.events", "project.*")
        _, project = await client.ask(ann, "POST", "", json={"name": "Top Secret"})
        async with asyncio.timeout(10), queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    body = msgspec.json.decode(message.body)
                envelope = body[0] if isinstance(body, list) else body
                if envelope["subject"] == project["project_id"]:
                    break
    assert (envelope["type"], envelope["source"]) == ("project.created", "/project")
    assert b"Top Secret" not in message.body
    sealed = msgspec.convert(envelope["data"]["name"], Sealed, builtin_types=())
    ring = KeyRing.from_file(settings.project_transport_keys_file)
    name = FieldSealer(ring).open(
        sealed, envelope["id"], "project.created", "name", project["project_id"]
    )
    assert name == "Top Secret"
