"""What people do with messages, over two processes: REST, sockets and live events."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from libs.kernel import new_id

pytestmark = pytest.mark.integration

THUMB = quote("👍")


async def test_reactions_and_pins_are_told_to_everybody(
    processes, people, open_group
) -> None:
    """Live on the other process; history shows the same."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await ada.connect(processes[0], group)
    await grace.connect(processes[1], group)
    sent = (await ada.send(group, "hello"))["message"]
    path = f"/{group}/messages/{sent['message_id']}"
    status, reacted = await grace.ask(processes[0], "PUT", f"{path}/reactions/{THUMB}")
    shown = {"emoji": "👍", "user_ids": [grace.user_id], "count": 1}
    assert (status, reacted["message"]["reactions"]) == (200, [shown])
    (live,) = await ada.until("message.reacted")
    assert (live["reaction"], live["is_added"]) == (shown, True)
    assert live["revision"] == sent["revision"] + 1
    status, _ = await ada.ask(processes[1], "PUT", f"{path}/pin")
    assert status == 200
    (pinned,) = await grace.until("message.pinned")
    assert pinned["message"]["pinned_by"] == ada.user_id
    status, pins = await grace.ask(processes[1], "GET", f"/{group}/pins")
    assert [m["message_id"] for m in pins["items"]] == [sent["message_id"]]
    status, one = await grace.ask(processes[1], "GET", path)
    assert (one["reactions"], one["pinned_by"]) == ([shown], ada.user_id)
    status, listed = await ada.ask(processes[0], "GET", f"{path}/reactions/{THUMB}")
    assert listed["items"] == [grace.user_id]
    status, refused = await ada.ask(processes[0], "PUT", f"{path}/reactions/lol")
    assert (status, refused["code"]) == (400, "emoji_invalid")


async def test_a_thread_is_answered_followed_and_read(
    processes, people, open_group
) -> None:
    """Its count is in the answers' commit; unread is each follower's own."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    body = {"client_message_id": new_id(), "text": "who comes?"}
    _, root = await ada.ask(processes[0], "POST", f"/{group}/messages", body)
    for number in (0, 1):
        answer = {
            "client_message_id": new_id(),
            "text": "me",
            "thread_seq": root["message"]["seq"],
        }
        status, _ = await grace.ask(
            processes[number], "POST", f"/{group}/messages", answer
        )
        assert status == 201
    _, threads = await ada.ask(processes[1], "GET", f"/{group}/threads")
    (thread,) = threads["items"]
    assert (thread["root"]["reply_count"], thread["unread"]) == (2, 2)
    place = f"/{group}/threads/{thread['thread_seq']}"
    _, page = await ada.ask(processes[0], "GET", f"{place}/messages?limit=1")
    assert (page["items"][0]["seq"], page["has_before"]) == (3, True)
    _, read = await ada.ask(processes[0], "PUT", f"{place}/read", {"seq": 3})
    assert (read["unread"], read["read_seq"]) == (0, 3)
    _, stopped = await ada.ask(processes[0], "DELETE", f"{place}/follow")
    assert not stopped["is_following"]


async def test_a_scheduled_message_leaves_at_its_time(
    processes, people, open_group
) -> None:
    """By whichever process: once. One that may not be sent is told."""
    ada, grace = await people(2)
    group = await open_group([ada, grace])
    await grace.connect(processes[1], group)
    due_at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    body = {"due_at": due_at, "text": "on time"}
    status, scheduled = await ada.ask(processes[0], "POST", f"/{group}/scheduled", body)
    assert (status, scheduled["state"]) == (201, "waiting")
    (live,) = await grace.until("message.sent", seconds=15)
    assert live["message"]["text"] == "on time"
    assert live["message"]["client_message_id"] == scheduled["scheduled_id"]


async def test_a_forwarded_message_names_its_origin(
    processes, people, open_group
) -> None:
    """Who is not in the origin's conversation gets its ids, and nothing by them."""
    ada, grace, heidi = await people(3)
    source, target = await open_group([ada, grace]), await open_group([ada, heidi])
    body = {"client_message_id": new_id(), "text": "news"}
    _, sent = await grace.ask(processes[0], "POST", f"/{source}/messages", body)
    asked = {
        "client_message_id": new_id(),
        "from_conversation_id": source,
        "message_id": sent["message"]["message_id"],
    }
    status, copy = await ada.ask(processes[1], "POST", f"/{target}/forwards", asked)
    assert (status, copy["message"]["text"]) == (201, "news")
    origin = copy["message"]["forwarded_from"]
    assert (origin["conversation_id"], origin["sender_id"]) == (source, grace.user_id)
    status, hidden = await heidi.ask(
        processes[0], "GET", f"/{source}/messages/{origin['message_id']}"
    )
    assert (status, hidden["code"]) == (404, "conversation_not_found")
