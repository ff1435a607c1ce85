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
    sent = None
    await ben.connect(near)
    for number in range(2):
        sent = await ben.send(group, f"{number}")
    await ann.connect(far)
    place = await ann.emit("own.subscribe", {})
    first = place["user_revision"]
    path = f"/{group}/draft"
    for text in ("h", "he", "hel"):
        status, draft = await ann.ask(near, "PUT", path, {"text": text})
        assert (status, draft["text"]) == (200, text)
    message_id = sent["message"]["message_id"]
    where = f"/{group}/messages/{message_id}/bookmark"
    assert (await ann.ask(near, "PUT", where, {"note": "later"}))[0] == 200
    assert (await ann.ask(near, "PUT", f"/{group}/mute", {"level": "none"}))[0] == 200
    assert (await ann.ask(near, "PUT", f"/{group}/read", {"seq": 2}))[0] == 200
    assert (await ann.ask(near, "DELETE", path))[0] == 204
    told = await until_revision(ann, first + 7)
    revisions = [change["user_revision"] for change in told]
    assert revisions == sorted(set(revisions))
    state = {}
    for change in told:
        for kind in ("membership", "draft", "bookmark"):
            state[kind] = state.get(kind, {}) | change.get(kind, {})
    assert state["draft"]["is_cleared"] is True
    assert state["bookmark"]["note"] == "later"
    assert state["membership"]["mute"] == {"level": "none", "until": None}
    assert state["membership"]["read_seq"] == 2
    status, caught_up = await ann.ask(far, "GET", f"/api/v1/sync/own?since={first}")
    assert (status, caught_up["user_revision"]) == (200, first + 7)
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
