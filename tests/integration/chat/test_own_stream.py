"""A user's own stream over two chat processes: live, in order, and caught up."""

import asyncio

import pytest

from libs.kernel import new_id

pytestmark = pytest.mark.integration


async def until_revision(member, revision: int) -> list[dict]:
    """Wait until a user's own stream was told up to a revision."""
    told = member.live["own.changed"]
    async with asyncio.timeout(10):
        while not told or told[-1]["user_revision"] < revision:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)
    return told


async def test_a_second_device_hears_of_everything_in_order(
    processes, people, open_group
) -> None:
    """Requests at one process, the socket at the other; texts are opened for it."""
    near, far = processes
    ann, ben = await people(2)
    group = await open_group([ann, ben])
    await ben.connect(near)
    root = await ben.send(group, "0")
    sent = await ben.send(group, "1", thread_seq=root["message"]["seq"])
    await ann.connect(far)
    place = await ann.emit("own.subscribe", {})
    first = place["user_revision"]
    path = f"/{group}/draft"
    for text in ("h", "he", "hey"):
        status, draft = await ann.ask(near, "PUT", path, {"text": text})
        assert (status, draft["text"]) == (200, text)
    message_id = sent["message"]["message_id"]
    where = f"/{group}/messages/{message_id}/bookmark"
    assert (await ann.ask(near, "PUT", where, {"note": "later"}))[0] == 200
    assert (await ann.ask(near, "PUT", f"/{group}/mute", {"level": "none"}))[0] == 200
    assert (await ann.ask(near, "PUT", f"/{group}/read", {"seq": 2}))[0] == 200
    assert (await ann.ask(near, "DELETE", path))[0] == 204
    assert (await ann.ask(near, "PUT", f"/{group}/threads/1/follow"))[0] == 200
    assert (await ann.ask(near, "PUT", f"/{group}/threads/1/read", {"seq": 2}))[
        0
    ] == 200
    told = await until_revision(ann, first + 9)
    revisions = [change["user_revision"] for change in told]
    assert revisions == sorted(set(revisions))
    state = {}
    for change in told:
        for kind in ("membership", "draft", "bookmark", "thread"):
            state[kind] = state.get(kind, {}) | change.get(kind, {})
    assert state["draft"]["is_cleared"] is True
    assert state["bookmark"]["note"] == "later"
    assert state["membership"]["mute"] == {"level": "none", "until": None}
    assert state["membership"]["read_seq"] == 2
    status, caught_up = await ann.ask(far, "GET", f"/api/v1/sync/own?since={first}")
    assert (status, caught_up["user_revision"]) == (200, first + 9)
    assert state["thread"]["is_following"] is True
    assert state["thread"]["read_seq"] == 2
    assert caught_up["threads"] == [state["thread"]]
    (membership,) = caught_up["memberships"]
    assert membership["mute"] == state["membership"]["mute"]
    status, problem = await ann.ask(far, "GET", "/api/v1/sync/own?since=999999")
    assert (status, problem["code"]) == (409, "revision_unknown")


async def test_a_new_conversation_reaches_every_members_own_stream(
    processes, people, open_group
) -> None:
    """Also of those who watch no conversation yet; a removal is told too."""
    near, far = processes
    ann, ben = await people(2)
    await ben.connect(far)
    assert await ben.emit("own.subscribe", {}) == {"user_revision": 0}
    group = await open_group([ann, ben])
    (told,) = await ben.until("own.changed")
    assert told["membership"]["conversation_id"] == group
    await ann.ask(near, "DELETE", f"/{group}/members/{ben.user_id}")
    _, gone = await ben.until("own.changed", 2)
    assert (gone["user_revision"], gone["membership"]["is_active"]) == (2, False)


async def test_routes_refuse_what_is_not_theirs(processes, people, open_group) -> None:
    """Unknown fields, foreign conversations, bad cursors; lists are pages."""
    near, _ = processes
    ann, ben = await people(2)
    group = await open_group([ann, ann])
    draft = {"text": "x", "saved_at": "2026-01-01T00:00:00Z"}
    assert (await ann.ask(near, "PUT", f"/{group}/draft", draft))[0] == 422
    for who, where in ((ben, group), (ann, new_id())):
        answer = await who.ask(near, "PUT", f"/{where}/draft", {"text": "x"})
        assert (answer[0], answer[1]["code"]) == (404, "conversation_not_found")
        answer = await who.ask(near, "PUT", f"/{where}/mute", {"level": "none"})
        assert (answer[0], answer[1]["code"]) == (404, "conversation_not_found")
    assert (await ann.ask(near, "DELETE", f"/api/v1/bookmarks/{new_id()}"))[0] == 404
    for path in ("drafts", "bookmarks"):
        assert (await ann.ask(near, "GET", f"/api/v1/{path}?cursor=!"))[0] == 400
        assert await ann.ask(near, "GET", f"/api/v1/{path}") == (
            200,
            {"items": [], "next_cursor": None},
        )
    naive = {"level": "none", "until": "2030-01-01T00:00:00"}
    assert (await ann.ask(near, "PUT", f"/{group}/mute", naive))[0] == 422
    past = {"level": "none", "until": "2020-01-01T00:00:00Z"}
    answer = await ann.ask(near, "PUT", f"/{group}/mute", past)
    assert (answer[0], answer[1]["code"]) == (400, "mute_until_invalid")


async def test_a_client_catches_up_in_one_call_over_rest_and_socket(
    processes, people, open_group
) -> None:
    """What moved, what is new, what is gone; both ways in answer the same."""
    near, far = processes
    ann, ben = await people(2)
    quiet, loud = [await open_group([ann, ben]) for _ in range(2)]
    left = await open_group([ann, ben])
    await ann.connect(near)
    for number in range(3):
        await ann.send(loud, f"{number}")
    await ann.ask(near, "DELETE", f"/{left}/members/{ben.user_id}")
    known = {quiet: 1, loud: 1, left: 1, new_id(): 4}
    _, answer = await ben.ask(
        far, "POST", "/api/v1/sync", {"conversations": known, "user_revision": 0}
    )
    assert [moved["conversation_id"] for moved in answer["moved"]] == [loud]
    (moved,) = answer["moved"]
    assert (moved["unread"], moved["unread_mentions"]) == (3, 0)
    assert [m["text"] for m in moved["changes"]["messages"]] == ["0", "1", "2"]
    assert set(answer["removed"]) == set(known) - {quiet, loud}
    assert (answer["joined"], answer["reset"], answer["has_more"]) == ([], [], False)
    own = {m["conversation_id"]: m["is_active"] for m in answer["own"]["memberships"]}
    assert own == {quiet: True, loud: True, left: False}
    await ben.connect(far)
    asked = {"conversations": known, "user_revision": 0}
    assert await ben.emit("sync", asked) == answer
    fresh = await ben.emit("sync", {"user_revision": 0})
    assert {c["conversation_id"] for c in fresh["joined"]} == {quiet, loud}
    first = {c["conversation_id"]: c["first_unread_seq"] for c in fresh["joined"]}
    assert first == {quiet: None, loud: 1}
    many = {"conversations": {new_id(): 0 for _ in range(501)}}
    assert (await ben.ask(far, "POST", "/api/v1/sync", many))[0] == 422
    refused = await ben.emit("sync", many)
    assert refused["error"]["code"] == "payload_invalid"


async def test_receipts_are_shown_or_not(processes, people, open_group) -> None:
    """Where they are off, others are told nothing, live or asked."""
    near, far = processes
    ann, ben = await people(2)
    group = await open_group([ann, ben])
    await ann.connect(near, group)
    sent = await ann.send(group, "hello")
    path = f"/{group}/messages/{sent['message']['message_id']}/receipts"
    assert (await ann.ask(far, "GET", path))[1]["items"] == []
    await ben.ask(far, "PUT", f"/{group}/read", {"seq": 1})
    _, shown = await ann.ask(far, "GET", path)
    assert shown["items"] == [{"user_id": ben.user_id, "read_seq": 1}]
    await ann.until("receipt.read")
    rules = {"has_receipts": False}
    status, changed = await ann.ask(near, "PATCH", f"/{group}", rules)
    assert status == 200, changed
    status, problem = await ann.ask(far, "GET", path)
    assert (status, problem["code"]) == (409, "receipts_off")
    await ben.connect(far)
    again = await ann.send(group, "and again")
    seq = again["message"]["seq"]
    await ben.ask(near, "PUT", f"/{group}/read", {"seq": seq})
    (own,) = await ben.until("receipt.read")
    assert own["read_seq"] == seq
    assert [told["read_seq"] for told in ann.live["receipt.read"]] == [1]
