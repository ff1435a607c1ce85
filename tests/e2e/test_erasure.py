"""People who are suspended or deleted, through the real edge and all services."""

import asyncio
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from libs.kernel import new_id
from scripts.demo.client import ApiError, Person
from scripts.demo.house import wait_for
from services.auth.domain.erasure import ERASING_SERVICES
from tests.e2e.conftest import house_of, settle
from tests.integration.auth.conftest import running_auth

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DATABASES = ("auth", "chat", "media", "notification", "project")
PASSWORD = "a long enough password"
WHY = {"reason": "asked for by the works council"}
TOKEN = {"name": "bot", "scopes": ["profile:read"]}


@pytest.fixture
async def people(house):
    """Somebody, a friend, and an administrator whom the command appointed."""
    view, run = house_of(house), new_id()[-12:]
    made = [
        Person(view.edge_url, f"{name}-{run}@example.org", PASSWORD, f"{name} {run}")
        for name in ("Hypatia", "Synesius", "Theon")
    ]
    await asyncio.gather(*(settle(person, view) for person in made))
    admin = made[-1]
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "admin", "appoint", admin.email),
        env=dict(os.environ) | house.service_environment("auth"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await command.wait() == 0
    await admin.sign_in()
    yield made
    for person in made:
        await person.__aexit__(None, None, None)


async def patiently(person, method, path, body):
    """Call again while a projection elsewhere has not heard of it yet."""

    async def ask():
        with suppress(ApiError):
            return await person.call(method, path, body)
        return None

    return await wait_for(ask, f"{method} {path}")


async def upload(person, **where):
    """Share a text; return its document id, once it is checked."""
    content = f"of {person.name}".encode()
    body = {"file_name": f"{person.name}.txt", "content_type": "text/plain"}
    made = await patiently(
        person,
        "POST",
        "media/uploads",
        {**body, "size_bytes": len(content), **where},
    )
    document_id = made["document_id"]
    await person.put_bytes(made["upload"], content)
    await person.call("POST", f"media/uploads/{document_id}/complete")

    async def ready():
        seen = await person.call("GET", f"media/documents/{document_id}")
        return seen["status"] == "ready"

    await wait_for(ready, "checked file")
    return document_id


async def group_of(person, friend):
    """Open a group of two; return its id."""
    body = {"kind": "group", "title": "Ours", "member_ids": [friend.user_id]}
    return (await patiently(person, "POST", "conversations", body))["conversation_id"]


async def say(person, place, text, **more):
    """Send a message; return its id."""
    body = {"client_message_id": new_id(), "text": text, **more}
    sent = await person.call("POST", f"conversations/{place}/messages", body)
    return sent["message"]["message_id"]


async def status_of(person, method, path, body=None):
    """Return the status of a call, whatever it is."""
    try:
        await person.call(method, path, body)
    except ApiError as error:
        return error.status
    return 200


async def refused(person, status, call):
    """Wait a second at most until a call has this status."""

    async def is_refused():
        return await status_of(person, *call) == status

    await wait_for(is_refused, f"refusal of {call}", within_seconds=1)


async def test_sr_6_the_suspended_are_out_within_a_second(house, people):
    """SR-6: session, refresh, socket, personal token, links and files, all at once."""
    hypatia, friend, admin = people
    place = await group_of(hypatia, friend)
    document_id = await upload(hypatia, conversation_id=place)
    made = await hypatia.call("POST", "me/tokens", TOKEN)
    link = await hypatia.call("POST", f"conversations/{place}/invites", {"uses_max": 9})
    bot = Person(hypatia.edge_url, "", "", "bot")
    bot.access_token = made["token"]
    assert await status_of(bot, "GET", "me") == 200
    await hypatia.come_online(place)
    await admin.call("POST", f"admin/users/{hypatia.user_id}/suspend", WHY)
    done_at = time.monotonic()
    _, closed_at = await hypatia.wait_live("session.revoked")
    assert closed_at - done_at < 1
    again, by_link = {"refresh_token": hypatia.refresh_token}, {"token": link["token"]}
    content = ("GET", f"media/documents/{document_id}/content")
    asked = (
        (hypatia, 401, ("GET", "me")),
        (bot, 401, ("GET", "me")),
        (hypatia, 401, content),
        (hypatia, 401, ("POST", "auth/refresh", again)),
        (admin, 404, ("POST", "conversations/invites/accept", by_link)),
    )
    await asyncio.gather(*(refused(*one) for one in asked))
    assert await status_of(friend, *content) == 200
    await bot.__aexit__(None, None, None)


async def test_deleted_person_is_gone_from_every_service(house, people, tmp_path):
    """With messages, files, a project and a phone: all answer, nothing names them."""
    hypatia, friend, admin = people
    view, user_id = house_of(house), hypatia.user_id
    email, name = hypatia.email, hypatia.name
    place = await group_of(hypatia, friend)
    private = await upload(hypatia)
    common = await upload(hypatia, conversation_id=place)
    message = await say(hypatia, place, "the conics", attachments=[common])
    await say(friend, place, "for you")
    project = await patiently(hypatia, "POST", "projects", {"name": f"Of {name}"})
    phone = {"token": new_id(), "platform": "android", "name": name}
    await hypatia.call("POST", "devices", phone)
    await hypatia.come_online(place)
    asked_at = time.monotonic()
    await hypatia.call("POST", "me/deletion", {"email": email})
    _, closed_at = await hypatia.wait_live("session.revoked")
    assert closed_at - asked_at < 2
    await refused(hypatia, 401, ("GET", "me"))

    async def told():
        mails = await view.mails_to(email)
        return [mail for mail in mails if mail["subject"].endswith("will be deleted")]

    [mail] = await wait_for(told, "mail about the deletion")
    assert "sign in before that" in mail["text"]
    async with AsyncMongoClient(house.admin_mongo_url) as mongo:
        due = {"$set": {"deletion_due_at": datetime.now(UTC)}}
        await mongo["parley_auth"]["users"].update_one({"_id": user_id}, due)
        with running_auth(house, tmp_path, AUTH_ERASING_SECONDS="0.2"):
            answers = await wait_for(
                lambda: complete_report(admin, user_id), "every answer", 60
            )
        assert {one["service"] for one in answers} == set(ERASING_SERVICES)
        assert {bool(one["answered_at"]) for one in answers} == {True}
        found = await wait_for(
            lambda: clean(mongo, [email.encode(), name.encode()]), "clean databases"
        )
    assert found == "clean"
    assert await status_of(friend, "GET", f"users/{user_id}") == 404
    here = f"conversations/{place}/messages/{message}"
    assert (await friend.call("GET", here))["text"] is None
    assert await status_of(friend, "GET", f"media/documents/{common}/content") == 200
    assert await status_of(friend, "GET", f"media/documents/{private}") == 404
    assert await status_of(friend, "GET", f"projects/{project['project_id']}") == 404
    again = {"email": email, "password": PASSWORD}
    assert await status_of(hypatia, "POST", "auth/login", again) == 401


async def complete_report(admin, user_id):
    """Return the answers of an erasure that is complete; None before."""
    page = await admin.call("GET", "admin/erasures", is_complete="true", limit=200)
    found = [one["answers"] for one in page["items"] if one["user_id"] == user_id]
    return found[0] if found else None


async def clean(mongo, wanted):
    """Tell that no service's database holds any of these bytes."""
    for service in DATABASES:
        database = mongo[f"parley_{service}"]
        options = mongo.codec_options.with_options(document_class=RawBSONDocument)
        for collection in await database.list_collection_names():
            rows = database.get_collection(collection, codec_options=options).find()
            async for row in rows:
                if any(one in row.raw for one in wanted):
                    return None
    return "clean"
