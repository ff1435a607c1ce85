"""The checker of chat histories names the broken rule of every seeded bad history."""

from typing import Any

import pytest

from tests.integration.chat.history.checker import RULES, History, Truth, judge
from tests.integration.chat.history.record import Operation, Record, Session
from tests.integration.chat.history.replica import Replica

GROUP, ADA, GRACE, GONE = "group", "ada", "grace", "gone"


def message(seq: int, **more: Any) -> dict[str, Any]:
    """Return a stored message; revision 1 is the conversation's creation."""
    return {
        "message_id": f"m{seq}",
        "client_message_id": f"key-{seq}",
        "seq": seq,
        "revision": seq + 1,
        "sender_id": ADA,
        "text": f"text {seq}",
        "is_deleted": False,
        "reactions": [],
        **more,
    }


def send(seq: int, at: float) -> Operation:
    """Return an acknowledged send."""
    operation = Operation(
        ADA, "send", GROUP, f"key-{seq}", {"text": f"text {seq}"}, invoked_at=at
    )
    operation.step, operation.told = "ok", {"seq": seq}
    operation.ended_at = at + 0.5
    return operation


def removal() -> Operation:
    """Return an acknowledged removal of the one who is gone."""
    operation = Operation(ADA, "remove", GROUP, GONE)
    operation.end("ok")
    return operation


def wish(kind: str, target: str, step: str = "ok", **wanted: Any) -> Operation:
    """Return another operation of Ada's."""
    operation = Operation(ADA, kind, GROUP, target, wanted)
    operation.end(step, {"revision": 9})
    return operation


def good() -> History:
    """Return a history in which every rule holds."""
    messages = [message(1), message(2), message(3)]
    items = [(GROUP, seq + 1, "message.sent") for seq in (1, 2, 3)]
    record = Record(
        operations=[*(send(seq, float(seq)) for seq in (1, 2, 3)), removal()],
        sessions=[
            Session(GRACE, {GROUP: 1}, [*items, (GROUP, 5, "member")]),
            Session(GONE, {GROUP: 1}, items[:1]),
        ],
    )
    truth = Truth(
        GROUP,
        readings={ADA: messages, GRACE: list(messages)},
        members={ADA: "owner", GRACE: "member"},
        conversation={
            "revision": 5,
            "last_seq": 3,
            "title": "Plans",
            "is_archived": False,
        },
        issued=[(1, "e1", "conversation"), (5, "e5", f"-{GONE}")]
        + [(m["revision"], f"e{m['revision']}", m["message_id"]) for m in messages],
        unread={ADA: (0, 3), GRACE: (3, 0)},
    )
    replica = Replica(
        revision=5,
        messages={m["message_id"]: dict(m) for m in messages},
        members={
            ADA: {"role": "owner", "is_active": True},
            GRACE: {"role": "member", "is_active": True},
            GONE: {"role": "member", "is_active": False},
        },
        conversation={"title": "Plans", "is_archived": False},
    )
    return History(record, truth, {GRACE: replica})


def lose(history: History) -> None:
    """An acknowledged message is not there."""
    history.truth.readings = {ADA: history.truth.messages[:2]}


def double(history: History) -> None:
    """One client id, two messages."""
    history.truth.messages.append(message(4, client_message_id="key-1"))


def invent(history: History) -> None:
    """A message of nobody."""
    history.truth.messages.append(message(4))


def store_what_was_refused(history: History) -> None:
    """A message is there whose sender was told that it was refused."""
    history.record.operations[0].end("fail", {"code": "not_permitted"})


def alter(history: History) -> None:
    """A text that nobody wrote."""
    history.truth.messages[0]["text"] = "other"


def undo_an_edit(history: History) -> None:
    """An acknowledged edit is gone."""
    history.record.operations.append(wish("edit", "m1", text="edited"))


def delete(history: History) -> None:
    """A deletion that nobody asked for."""
    history.truth.messages[0]["is_deleted"] = True


def leave_a_gap(history: History) -> None:
    """A number is missing."""
    history.truth.messages[2]["seq"] = 4


def show_less(history: History) -> None:
    """One member reads less."""
    history.truth.readings[GRACE] = history.truth.messages[:2]


def reorder(history: History) -> None:
    """What was acknowledged before comes after."""
    for seq, operation in zip((2, 1, 3), history.record.operations, strict=False):
        operation.told = {"seq": seq}


def skip_a_revision(history: History) -> None:
    """A revision was never issued."""
    history.truth.issued.remove((2, "e2", "m1"))


def issue_twice(history: History) -> None:
    """Two events bear one revision."""
    history.truth.issued.append((2, "another", "m1"))


def deliver_late(history: History) -> None:
    """A socket gets an older event after a newer one."""
    history.record.sessions[0].items.reverse()


def deliver_less(history: History) -> None:
    """A socket never gets one although it gets newer ones."""
    del history.record.sessions[0].items[1]


def diverge(history: History) -> None:
    """A copy differs."""
    history.replicas[GRACE].messages["m1"]["text"] = "old"


def forget_a_reaction(history: History) -> None:
    """An acknowledged reaction is not shown."""
    reaction = wish("react", "m1", emoji="+", is_added=True)
    history.record.operations.append(reaction)


def miscount(history: History) -> None:
    """Unread is not what a recount gives."""
    history.truth.unread[GRACE] = (2, 0)


def tell_the_removed(history: History) -> None:
    """Who was removed gets something newer."""
    history.record.sessions[1].items.append((GROUP, 6, "message.sent"))


BAD = {
    lose: "H1 acked and lost",
    double: "H2 doubled",
    invent: "H3 invoked by nobody",
    store_what_was_refused: "H3 invoked by nobody",
    alter: "H3 text of nobody",
    undo_an_edit: "H3 text of nobody",
    delete: "H3 deletion",
    leave_a_gap: "H4 seq not contiguous",
    show_less: "H4 readers differ",
    reorder: "H5 real time order",
    skip_a_revision: "H6 revisions not issued once",
    issue_twice: "H6 revisions not issued once",
    deliver_late: "H6 delivered out of order",
    deliver_less: "H6 delivered out of order",
    diverge: "H6 state after sync",
    forget_a_reaction: "H8 reactions",
    miscount: "H8 unread",
    tell_the_removed: "H11 after removal",
}


def test_a_good_history_passes() -> None:
    """Nothing is named where nothing is broken."""
    assert judge(good()) == {}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_history_is_named(spoil) -> None:
    """A history that breaks one rule is named by that rule."""
    history = good()
    spoil(history)
    assert BAD[spoil] in judge(history)


def test_every_rule_has_a_bad_history() -> None:
    """A rule that nothing can break would be worth nothing."""
    assert set(BAD.values()) == set(RULES)


def test_an_unknown_outcome_may_have_happened_or_not() -> None:
    """What was cut off before the answer is held against nobody."""
    history = good()
    unknown = Operation(ADA, "send", GROUP, "key-9", {"text": "cut off"})
    history.record.operations += [
        unknown,
        wish("edit", "m1", "info", text="edited"),
        wish("delete", "m2", "info"),
        wish("react", "m3", "info", emoji="+", is_added=True),
    ]
    assert judge(history) == {}
    history.truth.messages[0]["text"] = "edited"
    history.truth.messages[1]["is_deleted"] = True
    history.truth.readings[GRACE] = history.truth.messages
    stored = {m["message_id"]: m for m in history.truth.messages}
    history.replicas[GRACE].messages = stored
    assert judge(history) == {}


def test_a_resend_of_who_was_removed_says_nothing_of_the_first_try() -> None:
    """It is refused as missing; but only where there was a first try."""
    history = good()
    send = history.record.operations[0]
    send.client = GONE
    send.end("fail", {"code": "conversation_not_found"})
    assert set(judge(history)) == {"H3 invoked by nobody"}
    send.doubt()
    send.end("fail", {"code": "conversation_not_found"})
    assert judge(history) == {}


def test_a_fill_shows_an_object_once() -> None:
    """A revision that was overtaken by a later one of its object is no hole."""
    history = good()
    history.truth.issued[2:4] = [(2, "e2", "m2"), (3, "e3", "m2")]
    session = history.record.sessions[0]
    session.items = [item for item in session.items if item[1] != 2]
    assert "H6 delivered out of order" not in judge(history)
