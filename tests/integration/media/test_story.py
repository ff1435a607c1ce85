"""Media as a process on real servers: from the upload to the thumbnail, and abuse."""

import asyncio
import hashlib
import io
import json
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from PIL import Image
from yarl import URL

from libs.crypto import Sealed
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
)
from libs.events.catalog.project import ProjectCollaboratorAdded, ProjectCreated
from libs.kernel import new_id
from services.media.domain import DocumentStatus
from tests.support.firing import Watched, assert_fires, look_at

pytestmark = pytest.mark.integration
CONSUMER = Path("tests/support/foreign_consumer.py").resolve()


def picture(size=(800, 600), image_format="JPEG"):
    """Return a photo with a camera in its metadata."""
    exif = Image.Exif()
    exif[0x0110] = "SecretCamera"
    target = io.BytesIO()
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.save(target, format=image_format, exif=exif)
    return target.getvalue()


async def until(check, seconds=10):
    """Wait until an asynchronous check is true."""
    limit = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)


@pytest.fixture
def conversation(emit):
    """Return a function that opens a conversation with members, as chat would."""

    async def opened(*members):
        conversation_id = new_id()
        event = ConversationCreated(
            conversation_id=conversation_id,
            revision=1,
            kind="group",
            project_id=None,
            title=None,
            created_by=members[0].user_id,
            members=tuple((member.user_id, "member") for member in members),
        )
        await emit("chat", event)
        listing = f"documents?conversation_id={conversation_id}"

        async def is_known():
            return (await members[0].ask("GET", listing)).status == 200

        await until(is_known)
        return conversation_id

    return opened


async def test_share_a_picture(someone, conversation):
    """A picture is uploaded, checked, and seen by the members and nobody else."""
    ada, ben, eve = someone(), someone(), someone()
    home = await conversation(ada, ben)
    content = picture()
    document_id = await ada.upload(
        content, "Ausflug ä.jpg", "image/jpeg", conversation_id=home
    )
    document = await ada.settled(document_id)
    assert document["status"] == "ready"
    assert document["content_type"] == "image/jpeg"
    assert document["file_name"] == "Ausflug ä.jpg"
    assert (document["width"], document["height"]) == (800, 600)
    assert {item["name"] for item in document["renditions"]} == {"thumbnail", "preview"}

    status, headers, got = await ben.fetch(f"documents/{document_id}/content")
    assert status == 200
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Disposition"].startswith("attachment;")
    assert "Ausflug%20%C3%A4.jpg" in headers["Content-Disposition"]
    assert hashlib.sha256(got).hexdigest() == document["sha256"]
    assert len(got) == document["size_bytes"]
    assert b"SecretCamera" in content
    assert b"SecretCamera" not in got

    path = f"documents/{document_id}/renditions/thumbnail"
    status, headers, got = await ben.fetch(path)
    assert status == 200
    assert headers["Content-Type"] == "image/webp"
    assert headers["Content-Disposition"].startswith("inline;")
    assert Image.open(io.BytesIO(got)).size == (320, 240)

    listed = await ben.ask("GET", f"documents?conversation_id={home}")
    assert [item["document_id"] for item in listed.body["items"]] == [document_id]
    for path in ("", "/content", "/renditions/thumbnail"):
        refused = await eve.ask("GET", f"documents/{document_id}{path}")
        missing = await eve.ask("GET", f"documents/{new_id()}{path}")
        assert refused.status == missing.status == 404
        for body in (refused.body, missing.body):
            body.pop("trace_id")
        assert refused.body == missing.body


async def test_membership_decides_at_every_moment(someone, conversation, emit):
    """AZ-5, AZ-6: who joins may read; removed nobody reads, archived nobody writes."""
    ada, ben = someone(), someone()
    home = await conversation(ada)
    document_id = await ada.upload(
        picture(), conversation_id=home, name="a.jpg", declared="image/jpeg"
    )
    await ada.settled(document_id)
    content = f"documents/{document_id}/content"

    async def ben_gets(status):
        async def check():
            return (await ben.ask("GET", content)).status == status

        await until(check)

    assert (await ben.announce(b"x", conversation_id=home)).status == 404
    change = {"conversation_id": home, "user_id": ben.user_id}
    joined = ConversationMemberAdded(**change, revision=2, role="member", added_by=None)
    await emit("chat", joined)
    await ben_gets(200)
    left = ConversationMemberRemoved(**change, revision=3, removed_by=None)
    await emit("chat", left)
    await ben_gets(404)
    await emit("chat", joined)

    archived = ConversationArchived(
        conversation_id=home, revision=4, is_archived=True, archived_by=None
    )
    await emit("chat", archived)

    async def is_refused():
        answer = await ada.announce(b"x", conversation_id=home)
        return answer.body.get("code") == "scope_archived"

    await until(is_refused)
    assert (await ada.ask("GET", content)).status == 200
    assert (await ben.ask("GET", content)).status == 404
    deleted = ConversationDeleted(conversation_id=home, revision=5, deleted_by=None)
    await emit("chat", deleted)

    async def is_gone():
        return (await ada.ask("GET", content)).status == 404

    await until(is_gone)


async def test_project_documents(someone, emit):
    """Collaborators of a project read its documents, whatever order they came in."""
    ada, ben, eve = someone(), someone(), someone()
    project_id = new_id()
    await emit(
        "project",
        ProjectCollaboratorAdded(
            project_id=project_id,
            revision=2,
            user_id=ben.user_id,
            role="collaborator",
            added_by=ada.user_id,
        ),
    )
    await emit(
        "project",
        ProjectCreated(
            project_id=project_id,
            revision=1,
            owner_id=ada.user_id,
            name=Sealed("k", b"sealed"),
        ),
    )
    listing = f"documents?project_id={project_id}"

    async def is_known():
        return (await ada.ask("GET", listing)).status == 200

    await until(is_known)
    document_id = await ada.upload(
        b"notes\n", "notes.txt", "text/plain", project_id=project_id
    )
    assert (await ada.settled(document_id))["status"] == "ready"
    status, headers, got = await ben.fetch(f"documents/{document_id}/content")
    assert (status, got) == (200, b"notes\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (await eve.ask("GET", listing)).status == 404


@pytest.mark.parametrize(
    "case",
    [
        (b"<script>alert(1)</script>", "a.png", "image/png", "type_mismatch"),
        (picture(), "a.png", "image/png", "type_mismatch"),
        (picture()[:9_000], "a.jpg", "image/jpeg", "image_invalid"),
        (b"MZ" + bytes(500), "a.pdf", "application/pdf", "type_mismatch"),
        (b"\x00\x01\x02", "a.txt", "text/plain", "type_mismatch"),
    ],
)
async def test_content_that_lies_is_rejected(someone, s3, database, case):
    """What is not what it says it is never gets out of quarantine (UP-1)."""
    content, name, declared, reason = case
    ada = someone()
    document_id = await ada.upload(content, name, declared)
    document = await ada.settled(document_id)
    assert (document["status"], document["reject_reason"]) == ("rejected", reason)
    answer = await ada.ask("GET", f"documents/{document_id}/content")
    assert (answer.status, answer.body["code"]) == (409, "document_not_ready")
    row = await database["documents"].find_one({"_id": document_id})
    key = row["storage_key"]
    assert await s3.stat(f"documents/{key}") is None

    async def is_blank():
        return (await s3.stat(f"quarantine/{key}")).size_bytes == 0

    await until(is_blank)


async def test_uploads_that_lie_are_alerted(someone, media_process):
    """Where most of what arrives is refused, somebody is told."""
    url = f"http://127.0.0.1:{media_process.port('media')}/metrics"
    watched = Watched("media", url)
    await look_at(watched)
    ada = someone()
    document_id = await ada.upload(b"MZ" + bytes(500), "a.pdf", "application/pdf")
    assert (await ada.settled(document_id))["status"] == "rejected"
    await look_at(watched)
    assert_fires("UploadsRejected", watched, minutes=70)


async def test_opaque_files_have_no_type(someone):
    """HTML, SVG and archives are kept as bytes without a type, as an attachment."""
    ada = someone()
    page = b"<!doctype html><script>alert(1)</script>"
    document_id = await ada.upload(page, "page.html", "text/html")
    await ada.settled(document_id)
    status, headers, got = await ada.fetch(f"documents/{document_id}/content")
    assert (status, got) == (200, page)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment;")


async def test_tickets_are_for_one_upload(someone):
    """A ticket takes what was announced, once, before and after the checks (UP-6)."""
    ada = someone()
    content = picture()
    announced = (await ada.announce(content, "a.jpg", "image/jpeg")).body
    assert await ada.send(announced, content + b"x") == 403
    document_id = announced["document_id"]
    early = await ada.ask("POST", f"uploads/{document_id}/complete")
    assert (early.status, early.body["code"]) == (409, "upload_incomplete")
    assert await ada.send(announced, content) == 200
    assert await ada.send(announced, content) == 412
    complete = f"uploads/{document_id}/complete"
    first, second = await asyncio.gather(*(ada.ask("POST", complete) for _ in range(2)))
    assert first.status == second.status == 202
    await ada.settled(document_id)
    assert await ada.send(announced, content) == 412
    assert (await ada.ask("POST", complete)).body["status"] == "ready"


async def test_az_2_a_link_is_for_its_own_object(someone, database):
    """AZ-2: the key of another's object in one's own link or ticket opens nothing."""
    ada, eve = someone(), someone()
    secret = b"canary of somebody else"
    theirs = await ada.upload(secret, "a.txt", "text/plain")
    mine = await eve.upload(b"hello", "b.txt", "text/plain")
    assert (await ada.settled(theirs))["status"] == "ready"
    assert (await eve.settled(mine))["status"] == "ready"
    stored = database["documents"]
    keys = [
        (await stored.find_one({"_id": one}))["storage_key"] for one in (mine, theirs)
    ]
    link = (await eve.ask("GET", f"documents/{mine}/content")).body["url"]
    ticket = (await eve.announce(b"hello", "c.txt", "text/plain")).body
    announced = await stored.find_one({"_id": ticket["document_id"]})
    assert keys[0] in link
    swapped = URL(link.replace(keys[0], keys[1]), encoded=True)
    async with aiohttp.ClientSession() as http, http.get(swapped) as got:
        assert got.status == 403
        assert secret not in await got.read()
    upload = ticket["upload"]
    assert announced["storage_key"] in upload["url"]
    for kind in ("quarantine", "documents"):
        url = upload["url"].replace(
            f"quarantine/{announced['storage_key']}", f"{kind}/{keys[1]}"
        )
        assert await eve.send({"upload": upload | {"url": url}}, b"hello") == 403
    status, _, content = await ada.fetch(f"documents/{theirs}/content")
    assert (status, content) == (200, secret)


BAD_REQUESTS = [
    ({"file_name": "a/b.png"}, 400, "file_name_invalid"),
    ({"file_name": "a\u202e.png"}, 400, "file_name_invalid"),
    ({"file_name": ""}, 422, "request_invalid"),
    ({"file_name": "x" * 256}, 422, "request_invalid"),
    ({"file_name": 5}, 422, "request_invalid"),
    ({"file_name": {"$ne": ""}}, 422, "request_invalid"),
    ({"content_type": "image/jpeg"}, 400, "content_type_mismatch"),
    ({"content_type": "png"}, 422, "request_invalid"),
    ({"content_type": "image/png\r\nx: y"}, 422, "request_invalid"),
    ({"size_bytes": 0}, 422, "request_invalid"),
    ({"size_bytes": -1}, 422, "request_invalid"),
    ({"size_bytes": "10"}, 422, "request_invalid"),
    ({"size_bytes": 2**53}, 422, "request_invalid"),
    ({"size_bytes": 2**63}, 400, "json_invalid"),
    ({"size_bytes": 3_000_001}, 413, "document_too_large"),
    ({"conversation_id": "x"}, 422, "request_invalid"),
    ({"conversation_id": new_id(), "project_id": new_id()}, 400, "scope_ambiguous"),
    ({"conversation_id": new_id()}, 404, "scope_not_found"),
    ({"owner_id": new_id()}, 422, "request_invalid"),
    ({"storage_key": "k"}, 422, "request_invalid"),
]


@pytest.mark.parametrize(("change", "status", "code"), BAD_REQUESTS)
async def test_bad_requests(someone, change, status, code):
    """Every malformed or forbidden announcement gets its status and code."""
    body = {"file_name": "a.png", "content_type": "image/png", "size_bytes": 10}
    answer = await someone().ask("POST", "uploads", body | change)
    assert (answer.status, answer.body["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "documents/x", 404),
        ("GET", "documents/%252e", 404),
        ("GET", "documents?cursor=x", 400),
        ("GET", "documents?limit=0", 422),
        ("GET", "documents?conversation_id[$ne]=x", 200),
        ("GET", f"documents/{new_id()}/renditions/..%2f..", 404),
        ("GET", f"documents/{new_id()}/renditions/A", 404),
        ("DELETE", f"documents/{new_id()}", 404),
        ("POST", f"uploads/{new_id()}/complete", 404),
        ("PUT", "uploads", 405),
    ],
)
async def test_bad_paths(someone, method, path, status):
    """No path or query makes media fail."""
    assert (await someone().ask(method, path)).status == status


async def test_delete(someone, conversation, s3, database):
    """The owner deletes; others may not; the bytes are gone from the store."""
    ada, ben = someone(), someone()
    home = await conversation(ada, ben)
    document_id = await ada.upload(
        picture(), "a.jpg", "image/jpeg", conversation_id=home
    )
    await ada.settled(document_id)
    path = f"documents/{document_id}"
    link = (await ada.ask("GET", f"{path}/content")).body["url"]
    refused = await ben.ask("DELETE", path)
    assert (refused.status, refused.body["code"]) == (403, "document_not_owned")
    assert (await ada.ask("DELETE", path)).status == 204
    assert (await ada.ask("GET", path)).status == 404
    assert (await ada.ask("DELETE", path)).status == 404
    row = await database["documents"].find_one({"_id": document_id})
    assert row["file_name"] is None
    key = row["storage_key"]

    async def is_gone():
        keys = (f"documents/{key}", f"renditions/{key}/thumbnail")
        return not any([await s3.stat(name) for name in keys])

    await until(is_gone)
    async with ada._http.get(link) as got:
        assert got.status == 404
    assert (await ben.ask("GET", f"documents?conversation_id={home}")).body == {
        "items": [],
        "next_cursor": None,
    }


async def test_lists_are_paged(someone):
    """A list comes in pages, newest first, and is one's own."""
    ada, ben = someone(), someone()
    made = [await ada.upload(b"x", f"{n}.txt", "text/plain") for n in range(3)]
    for document_id in made:
        await ada.settled(document_id)
    first = (await ada.ask("GET", "documents?limit=2")).body
    rest = (await ada.ask("GET", f"documents?cursor={first['next_cursor']}")).body
    seen = [item["document_id"] for item in first["items"] + rest["items"]]
    assert seen == made[::-1]
    assert rest["next_cursor"] is None
    assert (await ben.ask("GET", "documents")).body["items"] == []


async def test_events_tell_no_names(someone, stack):
    """Upload and outcome are seen on the exchange as CloudEvents, without the name."""
    consumer = await asyncio.create_subprocess_exec(
        sys.executable,
        CONSUMER,
        stack.admin_amqp_url,
        "media.events",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await consumer.stdout.readline() == b"watching\n"
        document_id = await someone().upload(b"hello", "marker-name.txt", "text/plain")
        events = []
        async with asyncio.timeout(15):
            while len(events) < 2:
                line = await consumer.stdout.readline()
                assert b"marker-name" not in line
                event = json.loads(line)["event"]
                if event["subject"] == document_id:
                    events.append(event)
    finally:
        consumer.stdin.close()
        await consumer.wait()
    assert [event["type"] for event in events] == ["media.uploaded", "media.processed"]
    assert events[1]["data"]["content_type"] == "text/plain; charset=utf-8"


async def test_store_away_and_back(someone, stack):
    """Without the store media answers 503 within 6 s, and goes on when it is back."""
    ada = someone()
    announced = (await ada.announce(b"hello", "a.txt", "text/plain")).body
    complete = f"uploads/{announced['document_id']}/complete"
    assert await ada.send(announced, b"hello") == 200
    stack.kill("seaweedfs")
    start = time.monotonic()
    answer = await ada.ask("POST", complete)
    assert time.monotonic() - start < 6
    if answer.status != 202:  # the supervisor may have been faster
        assert (answer.status, answer.body["code"]) == (503, "store_unavailable")
    await stack.until_ready("seaweedfs")
    assert (await ada.ask("POST", complete)).status == 202
    assert (await ada.settled(announced["document_id"]))["status"] == "ready"


async def test_process_dies_during_the_checks(someone, stack):
    """A killed process loses nothing: the next one finishes the checks."""
    ada = someone()
    made = [
        await ada.upload(picture((3_000, 2_000)), f"{n}.jpg", "image/jpeg")
        for n in range(3)
    ]
    stack.kill("media")
    await stack.until_ready("media")
    for document_id in made:
        assert (await ada.settled(document_id, 60))["status"] == DocumentStatus.READY


async def test_no_name_in_logs(someone, stack):
    """A file name never reaches a log (security.md, section 4)."""
    ada = someone()
    marker = f"marker{new_id()}"
    await ada.upload(b"x", f"{marker}.txt", "text/plain")
    await ada.announce(b"x", f"{marker}/x.txt", "text/plain")
    await ada.announce(b"x", f"{marker}.png", "text/plain")
    await ada.fetch(f"documents/{await ready_text(ada, marker)}/content")
    log = await asyncio.to_thread(stack.log_path("media").read_text)
    assert marker not in log
    assert "X-Amz-Signature" not in log


async def ready_text(caller, name):
    """Return a text document that passed its checks."""
    document_id = await caller.upload(b"x", f"{name}.txt", "text/plain")
    await caller.settled(document_id)
    return document_id
