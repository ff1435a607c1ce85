"""The drill: an installation is lost, keys and all, and comes back (`make drill`)."""

import asyncio
import os
import shutil
import time
from contextlib import suppress

import pytest

from deploy.embedded.recovery import Wish, add_segment, back_up, restore
from libs.kernel import new_id
from scripts.demo.client import ApiError, Person
from scripts.demo.house import wait_for
from tests.e2e.conftest import house_of, settle
from tests.e2e.flow import Reader, Sender, check, history
from tests.e2e.restoring import CHECKED, moment_of, status_of, told
from tests.support.stack import go_down, go_up, running_stack

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get("PARLEY_DRILL"), reason="takes minutes: `make drill`"
    ),
]

PASSWORD = "a long enough password"
MESSAGES = int(os.environ.get("PARLEY_DRILL") or 1)


@pytest.fixture
def lost():
    """A whole house of the drill's own."""
    with running_stack("drill", ()) as running:
        yield running


async def test_a_lost_installation_comes_back(lost, tmp_path, tell):
    """Data, keys, queues and caches are gone; what was acknowledged is back."""
    view, run = house_of(lost), new_id()[-12:]
    ada, grace = (
        Person(view.edge_url, f"{name}-{run}@example.org", PASSWORD, name)
        for name in ("ada", "grace")
    )
    phone = Person(view.edge_url, ada.email, PASSWORD, "phone")
    async with ada, grace, phone:
        await asyncio.gather(settle(ada, view), settle(grace, view))
        place = await _group(ada, grace)
        document_id, content = await _upload(ada, place)
        sender, reader = Sender(ada, place), Reader(grace, place)
        await ada.come_online(place)
        sending = asyncio.create_task(sender.run(MESSAGES, 0))
        backups, keys = tmp_path / "backups", tmp_path / "keys"
        began = time.monotonic()
        await asyncio.to_thread(back_up, lost.stack, backups, keys)
        tell(f"full backup under load: {time.monotonic() - began:.1f} s")
        await sending
        await reader.sync()
        await phone.sign_in("phone")
        then = moment_of(lost)
        await phone.call("POST", "auth/logout")
        await Sender(ada, place).run(10, 0)
        began = time.monotonic()
        await asyncio.to_thread(add_segment, lost.stack, backups)
        tell(f"segment: {time.monotonic() - began:.1f} s")
        await asyncio.gather(ada.go_away(), grace.go_away())
        await asyncio.to_thread(_lose, lost)
        began = time.monotonic()
        wish = Wish(at=then, keys=keys, is_replacing=True)
        await asyncio.to_thread(restore, lost.stack, backups, wish)
        restored = time.monotonic()
        await asyncio.to_thread(go_up, lost.stack, ())
        tell(
            f"restored in {restored - began:.1f} s, serving in "
            f"{time.monotonic() - began:.1f} s"
        )
        for person in (ada, phone):
            assert await status_of(person, "GET", "me") == 401
            body = {"refresh_token": person.refresh_token}
            assert await status_of(person, "POST", "auth/refresh", **body) == 401
        await asyncio.gather(ada.sign_in(), grace.sign_in())
        assert check(sender, reader, await history(ada, place)) == {}
        assert len(sender.acked) == MESSAGES
        link = await ada.call("GET", f"media/documents/{document_id}/content")
        assert await ada.fetch(link["url"]) == content
        await ada.come_online(place)
        await Sender(ada, place).run(3, 0)
    for service in CHECKED:
        assert told(lost, service, {}, "audit", "verify")["is_whole"]
    assert told(lost, "chat", {}, "verify")["is_whole"]


def _lose(lost):
    """Take away all that a stack keeps; only its ports stay known."""
    go_down(lost.stack)
    for name in ("data", "secrets", "run"):
        shutil.rmtree(lost.root / name)


async def _group(ada, grace):
    """Open a group of two, once the house knows both."""
    body = {"kind": "group", "title": "Ours", "member_ids": [grace.user_id]}

    async def ask():
        status = await status_of(ada, "POST", "conversations", **body)
        return status == 200

    await wait_for(ask, "conversation")
    page = await ada.call("GET", "conversations")
    return page["items"][0]["conversation_id"]


async def _upload(person, place):
    """Share a text in a conversation; return its document id and its bytes."""
    content = b"of the drill" * 1000
    body = {
        "file_name": "drill.txt",
        "content_type": "text/plain",
        "size_bytes": len(content),
        "conversation_id": place,
    }

    async def begin():
        with suppress(ApiError):  # media has not heard of the conversation yet
            return await person.call("POST", "media/uploads", body)
        return None

    made = await wait_for(begin, "upload")
    await person.put_bytes(made["upload"], content)
    document_id = made["document_id"]
    await person.call("POST", f"media/uploads/{document_id}/complete")

    async def ready():
        seen = await person.call("GET", f"media/documents/{document_id}")
        return seen["status"] == "ready"

    await wait_for(ready, "checked file")
    return document_id, content
