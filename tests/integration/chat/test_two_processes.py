"""Two chat processes on the same database: order, gaps, death, sync."""

import asyncio
import contextlib
import itertools
import time
from datetime import timedelta

import pytest
import socketio

from libs.events.catalog import SessionRevoked
from libs.kernel import SystemClock, new_id

pytestmark = pytest.mark.integration
LOST = (socketio.exceptions.SocketIOError, ConnectionError, TimeoutError)


async def history(member, process, group: str) -> list[dict]:
    """Read a whole conversation, oldest first."""
    found, after, has_more = [], 0, True
    while has_more:
        path = f"/{group}/messages?after={after}&limit=200"
        status, page = await member.ask(process, "GET", path)
        assert status == 200, page
        found += page["items"]
        has_more = page["has_more"]
        after = found[-1]["seq"] if found else 0
    return found


async def test_twenty_senders_on_two_processes(processes, people, open_group) -> None:
    """Seqs are 1..n without a gap, and every reader sees them in order, once."""
    members = await people(20)
    group = await open_group(members)
    for member, process in zip(members, itertools.cycle(processes), strict=False):
        await member.connect(process, group)

    async def talk(member) -> list[int]:
        answers = [await member.send(group, f"{n}") for n in range(15)]
        return [answer["message"]["seq"] for answer in answers]

    seqs = await asyncio.gather(*(talk(member) for member in members))
    assert sorted(itertools.chain(*seqs)) == list(range(1, 301))
    assert all(own == sorted(own) for own in seqs)
    for member in members:
        live = await member.until("message.sent", 300)
        assert [event["message"]["seq"] for event in live] == list(range(1, 301))
        assert [event["revision"] for event in live] == list(range(2, 302))
    stored = await history(members[0], processes[1], group)
    assert [message["seq"] for message in stored] == list(range(1, 301))


async def test_rest_and_socket_show_the_same_message(
    processes, people, open_group
) -> None:
    """The answer, the live event and history agree field by field."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await grace.connect(processes[1], group)
    body = {"client_message_id": new_id(), "text": "héllo", "mentions": [grace.user_id]}
    status, sent = await ada.ask(processes[0], "POST", f"/{group}/messages", body)
    assert status == 201
    (live,) = await grace.until("message.sent")
    assert live == sent
    assert await history(grace, processes[1], group) == [sent["message"]]
    again = await ada.ask(processes[1], "POST", f"/{group}/messages", body)
    assert again == (201, sent)


async def test_reconnecting_by_revision_finds_what_was_missed(
    processes, people, open_group
) -> None:
    """Everything that changed meanwhile, and nothing else."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    await grace.connect(processes[1], group)
    first = (await ada.send(group, "first"))["message"]
    await grace.until("message.sent")
    await grace.disconnect()
    await ada.send(group, "second")
    path = f"/{group}/messages/{first['message_id']}"
    status, _ = await ada.ask(processes[1], "PATCH", path, {"text": "edited"})
    assert status == 200
    await ada.ask(processes[0], "PATCH", f"/{group}", {"title": "Renamed"})
    seen = (await grace.connect(processes[0], group))["conversations"][0]
    # Renaming is two revisions: the title's, and the system message's.
    assert (seen["revision"], seen["last_seq"]) == (6, 3)
    status, changes = await grace.ask(processes[1], "GET", f"/{group}/changes?since=2")
    assert status == 200
    assert [m["text"] for m in changes["messages"]] == ["second", "edited", None]
    notice = {"type": "title_changed", "user_id": None, "title": "Renamed"}
    assert changes["messages"][-1]["notice"] == notice
    assert changes["conversation"]["title"] == "Renamed"
    assert (changes["revision"], changes["has_more"]) == (6, False)
    edited = (await ada.until("message.edited"))[0]["message"]
    assert (edited["text"], edited["seq"]) == ("edited", 1)


async def test_kill_9_loses_no_acked_message_and_doubles_none(
    processes, people, open_group
) -> None:
    """A sender repeats what was not acked on the other process."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    dying, living = processes
    await grace.connect(living, group)
    await ada.connect(dying, group)
    acked: dict[str, int] = {}
    keys = [new_id() for _ in range(300)]

    async def send(key: str) -> None:
        with contextlib.suppress(*LOST):
            answer = await ada.send(group, key, key)
            if "message" in answer:
                acked[key] = answer["message"]["seq"]

    tasks = []
    for number, key in enumerate(keys):
        tasks.append(asyncio.create_task(send(key)))
        if number == 150:
            await asyncio.sleep(0.02)
            dying.kill()
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    before = dict(acked)
    with contextlib.suppress(*LOST):
        await ada.disconnect()
    ada.socket = None
    dying.start()
    await ada.connect(living, group)
    for start in range(0, len(keys), 50):
        await asyncio.gather(*(send(key) for key in keys[start : start + 50]))
    assert len(acked) == len(keys)
    assert all(acked[key] == seq for key, seq in before.items())
    stored = await history(grace, living, group)
    assert [message["seq"] for message in stored] == list(range(1, 301))
    assert {m["client_message_id"]: m["seq"] for m in stored} == acked
    live = await grace.until("message.sent", 300, seconds=15)
    assert [event["message"]["seq"] for event in live] == list(range(1, 301))


async def test_sr_1_a_revoked_session_loses_its_sockets_within_a_second(
    processes, people, open_group, auth_bus
) -> None:
    """On whichever process they are; other sessions of the user stay (SR-1)."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    await grace.connect(processes[1], group)
    started = time.monotonic()
    async with auth_bus.transaction() as transaction:
        transaction.publish(
            SessionRevoked(
                user_id=grace.user_id, session_id=grace.session_id, reason="revoked"
            )
        )
    await grace.until("session.revoked", seconds=1)
    while grace.socket.connected:
        assert time.monotonic() - started < 1
        await asyncio.sleep(0.01)
    await ada.send(group, "after")
    await asyncio.sleep(0.2)
    assert not grace.live["message.sent"]
    with pytest.raises(socketio.exceptions.ConnectionError):
        await grace.connect(processes[0])


async def test_sr_3_a_removed_member_gets_nothing_newer(
    processes, people, open_group
) -> None:
    """After the ack of the removal: no send, no event, no history (SR-3, AZ-8)."""
    ada, grace, heidi = await people(3)
    group = await open_group([ada, grace, heidi])
    for member, process in ((ada, 0), (grace, 1), (heidi, 1)):
        await member.connect(processes[process], group)
    await ada.send(group, "before")
    await grace.until("message.sent")

    async def post() -> list[int]:
        seqs = []
        for number in range(60):
            answer = await grace.send(group, f"{number}")
            if "error" in answer:
                assert answer["error"]["code"] == "conversation_not_found"
                break
            seqs.append(answer["message"]["revision"])
        return seqs

    posting = asyncio.create_task(post())
    await asyncio.sleep(0.05)
    path = f"/{group}/members/{grace.user_id}"
    assert (await ada.ask(processes[0], "DELETE", path))[0] == 204
    after = (await ada.send(group, "after the removal"))["message"]
    posted = await posting
    (removal,) = await grace.until("conversation.member_removed")
    await heidi.until("conversation.member_removed")
    async with asyncio.timeout(15):
        while (  # noqa: ASYNC110 - the last of an unknown number
            heidi.live["message.sent"][-1]["revision"] < after["revision"]
        ):
            await asyncio.sleep(0.01)
    assert max(posted, default=0) < removal["revision"]
    assert grace.live["message.sent"][-1]["revision"] < removal["revision"]
    assert (await grace.ask(processes[1], "GET", f"/{group}"))[0] == 404
    answer = await grace.emit("conversation.subscribe", {"conversation_ids": [group]})
    assert answer["errors"] == [
        {"conversation_id": group, "code": "conversation_not_found"}
    ]


async def test_presence_typing_and_receipts_reach_the_other_process(
    processes, people, open_group
) -> None:
    """What is never stored travels too, and one's own typing does not come back."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    await asyncio.sleep(0.3)
    await grace.connect(processes[1], group)
    assert await ada.statuses_of(grace, 1) == ["online"]
    assert await grace.emit("typing.start", {"conversation_id": group}) == {}
    (typing,) = await ada.until("typing.started")
    assert (typing["user_id"], typing["expires_in_seconds"]) == (grace.user_id, 5)
    assert not grace.live["typing.started"]
    await ada.send(group, "one")
    answer = await grace.emit("receipt.read", {"conversation_id": group, "seq": 1})
    assert answer["read_seq"] == 1
    (receipt,) = await ada.until("receipt.read")
    assert (receipt["user_id"], receipt["read_seq"]) == (grace.user_id, 1)
    assert (await grace.ask(processes[0], "GET", f"/{group}"))[1]["unread"] == 0
    await grace.emit("presence.set", {"status": "away"})
    await ada.statuses_of(grace, 2)
    await grace.disconnect()
    assert await ada.statuses_of(grace, 3) == ["online", "away", "offline"]


async def test_who_is_there_and_when_somebody_left_is_told_to_members(
    processes, people, open_group
) -> None:
    """A time of leaving is told of those who show it, to those who show theirs."""
    ada, grace, mallory = await people(3)
    group = await open_group([ada, grace])
    asked = {
        "conversation_id": group,
        "user_ids": [ada.user_id, grace.user_id, mallory.user_id],
    }

    async def states(of=ada) -> dict[str, dict[str, object]]:
        answer = await of.emit("presence.get", asked)
        return {state["user_id"]: state for state in answer["presences"]}

    await ada.connect(processes[0], group)
    await ada.emit("presence.set", {"status": "online", "last_seen": "contacts"})
    for turn, shows in enumerate((None, "contacts", "nobody"), start=1):
        await grace.connect(processes[1], group)
        wish = {"status": "online"} | ({} if shows is None else {"last_seen": shows})
        await grace.emit("presence.set", wish)
        found = await states()
        assert set(found) == {ada.user_id, grace.user_id}
        assert found[grace.user_id]["status"] == "online"
        assert found[grace.user_id]["last_seen_at"] is None
        await grace.disconnect()
        assert (await ada.statuses_of(grace, 2 * turn))[-1] == "offline"
        found = await states()
        assert found[grace.user_id]["status"] == "offline"
        is_shown = found[grace.user_id]["last_seen_at"] is not None
        assert is_shown == (shows == "contacts")
    await mallory.connect(processes[0])
    refused = await mallory.emit("presence.get", asked)
    assert refused["error"]["code"] == "conversation_not_found"


async def test_a_custom_status_is_told_and_goes_by_itself(
    processes, people, open_group
) -> None:
    """Over both processes once: when it is said, and when its time is over."""
    ada, grace, mallory = await people(3)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    path, soon = "/api/v1/presence", SystemClock().now() + timedelta(seconds=3)
    body = {"emoji": "🌴", "text": "away", "expires_at": soon.isoformat()}
    status, said = await grace.ask(processes[1], "PUT", f"{path}/custom-status", body)
    assert (status, said["text"]) == (200, "away"), said

    async def told(count: int) -> list[object]:
        async with asyncio.timeout(10):
            while True:
                found = [
                    event["custom_status"]
                    for event in ada.live["presence.changed"]
                    if "custom_status" in event and event["user_id"] == grace.user_id
                ]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)

    assert await told(1) == [said]
    asked = {"conversation_id": group, "user_ids": [grace.user_id]}
    (seen,) = (await ada.emit("presence.get", asked))["presences"]
    assert seen["custom_status"] == said
    _, own = await grace.ask(processes[0], "GET", path)
    assert own == {"custom_status": said, "last_seen": "nobody"}
    others = f"{path}/users?ids={grace.user_id}"
    for who in (grace, mallory):
        level = {"last_seen": "everyone"}
        assert (await mallory.ask(processes[0], "GET", others))[1]["presences"] == []
        assert (await who.ask(processes[0], "PUT", f"{path}/last-seen", level))[
            0
        ] == 200
    (found,) = (await mallory.ask(processes[0], "GET", others))[1]["presences"]
    assert found["custom_status"] == said
    assert await told(2) == [said, None]
    (seen,) = (await ada.emit("presence.get", asked))["presences"]
    assert seen["custom_status"] is None
    await grace.connect(processes[1])
    await grace.emit("status.set", {"text": "back"})
    await grace.emit("status.clear", {})
    assert (await told(4))[3] is None


async def test_a_new_conversation_appears_on_open_sockets(
    processes, people, open_group
) -> None:
    """Who is brought in learns it without polling."""
    ada, grace = await people(2)
    await grace.connect(processes[1])
    group = await open_group([ada, grace], "Secret plans")
    (created,) = await grace.until("conversation.created")
    assert created["conversation_id"] == group
    assert created["conversation"]["title"] == "Secret plans"


async def test_nothing_private_is_readable_in_mongod(
    stack, processes, people, open_group
) -> None:
    """A byte scan of the data folder finds no text, title, draft or note (CR-6)."""
    ada, grace = await people(2)
    group = await open_group([ada, grace], "Zanzibar-title-marker")
    body = {"client_message_id": new_id(), "text": "Quetzalcoatl-body-marker"}
    _, sent = await ada.ask(processes[0], "POST", f"/{group}/messages", body)
    path = f"/{group}/messages/{sent['message']['message_id']}"
    await ada.ask(processes[0], "PATCH", path, {"text": "Quetzalcoatl-edit-marker"})
    draft, note = {"text": "Quetzalcoatl-draft"}, {"note": "Quetzalcoatl-note"}
    said = {"text": "Quetzalcoatl-status"}
    where = "/api/v1/presence/custom-status"
    assert (await ada.ask(processes[0], "PUT", where, said))[0] == 200
    assert (await ada.ask(processes[0], "PUT", f"/{group}/draft", draft))[0] == 200
    assert (await ada.ask(processes[0], "PUT", f"{path}/bookmark", note))[0] == 200
    await asyncio.to_thread(stack.flush_to_disk)
    markers = (b"Zanzibar-title", b"Quetzalcoatl")
    for file in stack.stack.data("mongod").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(marker in content for marker in markers), file
    for process in processes:
        assert not any(marker in process.log.read_bytes() for marker in markers)
