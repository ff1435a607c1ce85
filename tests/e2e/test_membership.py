"""Who comes in, who stays out and what is gone, through the real edge."""

import asyncio
import time

import pytest
from pymongo import MongoClient

from libs.kernel import new_id
from scripts.demo.client import ApiError
from services.chat.domain.operations import OPERATIONS, Scope

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


async def refused(person, method: str, path: str, body=None) -> dict:
    """Return the problem of a call that must fail, without what names the request."""
    with pytest.raises(ApiError) as caught:
        await person.call(method, path, body)
    problem = dict(caught.value.problem)
    assert problem.pop("trace_id")
    return problem


def read_paths(conversation_id: str) -> list[str]:
    """Return every route that reads a conversation, filled in."""
    ids = {
        "{conversation_id}": conversation_id,
        "{message_id}": new_id(),
        "{emoji}": "%F0%9F%91%8D",
        "{seq}": "1",
        "{thread_seq}": "1",
    }
    paths = []
    for operation in OPERATIONS:
        method, _, path = operation.name.partition(" ")
        if operation.scope is not Scope.CONVERSATION or method != "GET":
            continue
        for name, value in ids.items():
            path = path.replace(name, value)
        query = "?since=0" if path.endswith("/changes") else ""
        paths.append(path.removeprefix("/api/v1/") + query)
    return paths


async def test_foreign_and_missing_conversations_are_alike(neighbours) -> None:
    """EN-3: the same answer from every route that reads, through gateway and edge."""
    ada, foreign = neighbours.ada, neighbours.names["foreign"]
    pairs = zip(read_paths(foreign), read_paths(new_id()), strict=True)
    for path, missing_path in pairs:
        theirs = await refused(ada, "GET", path)
        assert theirs["code"] == "conversation_not_found", path
        assert theirs == await refused(ada, "GET", missing_path), path


async def test_a_link_lets_in_a_ban_keeps_out_and_a_deletion_ends_it(
    house, neighbours
) -> None:
    """From an invite to the last word, with everybody's sockets open."""
    ada, grace = neighbours.ada, neighbours.grace
    group = await ada.call(
        "POST", "conversations", {"kind": "group", "title": "Ours", "topic": "All"}
    )
    place = group["conversation_id"]
    here = f"conversations/{place}"
    invite = await ada.call("POST", f"{here}/invites", {"uses_max": 2})
    came = await grace.call(
        "POST", "conversations/invites/accept", {"token": invite["token"]}
    )
    assert (came["role"], came["topic"]) == ("member", "All")
    await asyncio.gather(ada.come_online(place), grace.come_online(place))
    member = f"{here}/members/{grace.user_id}"
    assert (await ada.call("PATCH", member, {"role": "admin"}))["role"] == "admin"
    last_owner = await refused(ada, "DELETE", f"{here}/members/{ada.user_id}")
    assert last_owner["code"] == "last_owner"
    await ada.call("PATCH", here, {"is_announcement_only": True})
    await ada.call("POST", f"{here}/bans", {"user_id": grace.user_id})
    gone = await refused(grace, "GET", here)
    assert gone == await refused(grace, "GET", f"conversations/{new_id()}")
    accept = ("POST", "conversations/invites/accept")
    banned = await refused(grace, *accept, {"token": invite["token"]})
    assert banned == await refused(grace, *accept, {"token": "A" * 43})
    assert banned["code"] == "invite_not_found"
    await ada.call("DELETE", here)
    await ada.wait_live("conversation.deleted", conversation_id=place)
    assert gone == await refused(ada, "GET", here)
    unsent = await refused(
        ada, "POST", f"{here}/messages", {"client_message_id": new_id(), "text": "x"}
    )
    assert unsent == gone
    await asyncio.to_thread(wait_until_purged, house.admin_mongo_url, place)


def wait_until_purged(admin_url: str, conversation_id: str) -> None:
    """Wait until the job has left the tombstone alone, with nothing that opens."""
    with MongoClient(admin_url) as client:
        chat = client["parley_chat"]
        here = {"conversation_id": conversation_id}
        deadline = time.monotonic() + 20
        while (
            chat["messages"].count_documents(here)
            + chat["invites"].count_documents(here)
            + chat["bans"].count_documents(here)
            + chat["members"].count_documents({**here, "is_active": True})
        ):
            assert time.monotonic() < deadline, "the job never came to its end"
            time.sleep(0.1)
        tombstone = chat["conversations"].find_one({"_id": conversation_id})
    assert tombstone["is_deleted"]
    assert (tombstone["keys"], tombstone["title"], tombstone["topic"]) == (
        [],
        None,
        None,
    )


async def test_a_public_channel_is_found_and_joined(neighbours) -> None:
    """Listed to everybody, and a member after joining it."""
    ada, grace = neighbours.ada, neighbours.grace
    channel = await ada.call(
        "POST",
        "conversations",
        {"kind": "channel", "title": "Open", "is_public": True},
    )
    place, cursor, listed = channel["conversation_id"], {}, []
    while True:
        page = await grace.call("GET", "conversations/channels", limit=200, **cursor)
        listed += [one["conversation_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert place in listed
    joined = await grace.call("POST", f"conversations/{place}/join")
    assert (joined["role"], joined["conversation_id"]) == ("member", place)
    private = neighbours.names["foreign"]
    hidden = await refused(ada, "POST", f"conversations/{private}/join")
    assert hidden["code"] == "conversation_not_found"
