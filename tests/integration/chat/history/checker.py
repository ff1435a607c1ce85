"""Judges a history against the stored state and the issued events.

Rules H1 to H6, H8 and H11 of the fault matrix, and the promises on revisions: issued
without a gap, delivered in order, every state after sync equal to the server's.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.chat.history.record import Operation, Record
from tests.integration.chat.history.replica import Replica

Findings = dict[str, list[Any]]
_NEAR = 6


@dataclass
class Truth:
    """One conversation as the server has it once all is quiet.

    Attributes:
        readings: The messages as read by each member, oldest first.
        members: Role of each active member.
        conversation: Its own fields, as one member gets them.
        issued: Revision to (event id, object id) of every event on the exchanges.
        unread: Of each member, as the server counts it, with its read marker.
    """

    conversation_id: str
    readings: dict[str, list[dict[str, Any]]]
    members: dict[str, str]
    conversation: dict[str, Any]
    issued: list[tuple[int, str, str]]
    unread: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as one of them reads them."""
        return next(iter(self.readings.values()))


@dataclass
class History:
    """What is judged."""

    record: Record
    truth: Truth
    replicas: dict[str, Replica]

    def operations(self, kind: str) -> list[Operation]:
        """Return the operations of a kind on this conversation."""
        return list(self.record.of(kind, self.truth.conversation_id))


def judge(history: History) -> Findings:
    """Return every broken rule with what breaks it; empty where all of them hold."""
    found = {rule: list(check(history)) for rule, check in RULES.items()}
    return {rule: broken for rule, broken in found.items() if broken}


def _users(history: History) -> list[dict[str, Any]]:
    """Return what people sent; the house's own messages have no client id."""
    return [m for m in history.truth.messages if m.get("kind", "text") == "text"]


def _lost(history: History) -> Iterable[Any]:
    stored = {m["client_message_id"]: m for m in _users(history)}
    for send in history.operations("send"):
        if send.step == "ok":
            message = stored.get(send.target)
            if message is None or message["seq"] != send.told["seq"]:
                yield send.target


def _doubled(history: History) -> Iterable[Any]:
    counts = Counter(m["client_message_id"] for m in _users(history))
    yield from (key for key, count in counts.items() if count > 1)


def _phantoms(history: History) -> Iterable[Any]:
    """What is stored was sent; what was refused is not stored.

    A resend that finds its sender removed is refused without a look at what the
    first try did, of which there was no answer: it may have been stored.
    """
    sends = {send.target: send for send in history.operations("send")}
    for message in _users(history):
        send = sends.get(message["client_message_id"])
        if send is None:
            yield message["client_message_id"]
        elif send.step == "fail" and not (send.was_unknown and _is_out(history, send)):
            yield send.target, send.client, send.told, send.was_unknown


def _is_out(history: History, send: Operation) -> bool:
    """Tell whether a send was refused to somebody who was removed."""
    removed = {removal.target for removal in history.operations("remove")}
    is_missing = send.told.get("code") == "conversation_not_found"
    return is_missing and send.client in removed


def _texts(history: History) -> Iterable[Any]:
    """A text is the original or an edit's; the last acked edit is not undone."""
    sent = {s.target: s.wanted["text"] for s in history.operations("send")}
    edits_of = _by_target(history, "edit")
    for message in _users(history):
        if message["is_deleted"]:
            continue
        edits = edits_of.get(message["message_id"], [])
        acked = [edit for edit in edits if edit.step == "ok"]
        last = max(acked, key=lambda edit: edit.told["revision"], default=None)
        unknown = {e.wanted["text"] for e in edits if e.step in ("info", "invoke")}
        settled = (
            last.wanted["text"] if last else sent.get(message["client_message_id"])
        )
        if message["text"] != settled and message["text"] not in unknown:
            yield message["message_id"]


def _deletions(history: History) -> Iterable[Any]:
    deletions_of = _by_target(history, "delete")
    for message in _users(history):
        deletions = deletions_of.get(message["message_id"], [])
        must = any(deletion.step == "ok" for deletion in deletions)
        may = any(deletion.step != "fail" for deletion in deletions)
        if (must and not message["is_deleted"]) or (message["is_deleted"] and not may):
            yield message["message_id"]


def _reactions(history: History) -> Iterable[Any]:
    """Each person's reaction is what the last acked wish of theirs said (H8)."""
    wishes_of = _by_target(history, "react")
    for message in _users(history):
        if message["is_deleted"]:
            continue
        shown = {
            (reaction["emoji"], user_id)
            for reaction in message.get("reactions", ())
            for user_id in reaction["user_ids"]
        }
        wishes: dict[tuple[str, str], list[Operation]] = {}
        for wish in wishes_of.get(message["message_id"], []):
            key = (wish.wanted["emoji"], wish.client)
            wishes.setdefault(key, []).append(wish)
        for key, ordered in wishes.items():
            possible = _possible_ends(ordered)
            if (key in shown) not in possible:
                yield message["message_id"], key
        yield from (key for key in shown if key not in wishes)


def _possible_ends(wishes: list[Operation]) -> set[bool]:
    """One client's wishes follow each other: unknown ones may have happened or not."""
    possible = {False}
    for wish in wishes:
        wanted = bool(wish.wanted["is_added"])
        if wish.step == "ok":
            possible = {wanted}
        elif wish.step in ("info", "invoke"):
            possible.add(wanted)
    return possible


def _gaps_in_seq(history: History) -> Iterable[Any]:
    sequences = [message["seq"] for message in history.truth.messages]
    if sequences != list(range(1, len(sequences) + 1)):
        yield sequences


def _readings(history: History) -> Iterable[Any]:
    for name, messages in history.truth.readings.items():
        if messages != history.truth.messages:
            yield name


def _real_time(history: History) -> Iterable[Any]:
    """What was acked before another send began comes before it (H5)."""
    done = [send for send in history.operations("send") if send.step == "ok"]
    by_end = sorted(done, key=lambda send: send.ended_at or 0)
    by_start = sorted(done, key=lambda send: send.invoked_at)
    highest, ended = 0, iter(by_end)
    earlier = next(ended, None)
    for send in by_start:
        while earlier is not None and (earlier.ended_at or 0) < send.invoked_at:
            highest = max(highest, earlier.told["seq"])
            earlier = next(ended, None)
        if send.told["seq"] < highest:
            yield send.target, send.told["seq"], highest


def _issued(history: History) -> Iterable[Any]:
    """Every revision was issued once, none was left out, none is above the last."""
    ids: dict[int, set[str]] = {}
    for revision, event_id, _ in history.truth.issued:
        ids.setdefault(revision, set()).add(event_id)
    last = history.truth.conversation["revision"]
    yield from (("missing", r) for r in range(1, last + 1) if r not in ids)
    yield from (("unknown", r) for r in ids if r > last)
    yield from (("twice", r) for r, known in ids.items() if len(known) > 1)


def _delivered(history: History) -> Iterable[Any]:
    """Each socket got all that came after its subscription, in order.

    What it skipped it got in a later state: a fill from the database shows an object
    once, as it is. One whose next state is above all that this socket got belongs
    to that state, which the socket was too early cut off for. Who is removed leaves
    at once: only the word of the removal itself may follow.
    """
    objects = {revision: key for revision, _, key in history.truth.issued}
    settled = _last_of_each(objects)
    for session in history.record.sessions:
        start = session.subscribed.get(history.truth.conversation_id)
        if start is None:
            continue
        revisions = session.revisions(history.truth.conversation_id)
        after = [revision for revision in revisions if revision > start]
        if after != sorted(set(after)):
            yield session.client, "order", after
        stayed = [r for r in after if objects.get(r) != f"-{session.client}"]
        for revision in _holes(start, stayed, settled):
            near = [r for r in revisions if abs(r - revision) < _NEAR]
            yield session.client, "hole", revision, objects[revision], near, start


def _last_of_each(objects: dict[int, str]) -> set[int]:
    """Return the revisions after which their object did not change any more."""
    return set({key: revision for revision, key in sorted(objects.items())}.values())


def _holes(start: int, given: list[int], settled: set[int]) -> Iterable[int]:
    """Yield the last states that were skipped, though newer ones were given."""
    got = set(given)
    for revision in range(start + 1, max(given, default=0)):
        if revision in settled and revision not in got:
            yield revision


def _replicas(history: History) -> Iterable[Any]:
    """Every member's copy, after its last sync, is what the server has."""
    stored = {message["message_id"]: message for message in history.truth.messages}
    for name, replica in history.replicas.items():
        if name not in history.truth.members:
            continue
        if replica.revision != history.truth.conversation["revision"]:
            yield name, "revision", replica.revision
        if replica.messages != stored:
            yield name, "messages", _difference(replica.messages, stored)
        if replica.active_members() != history.truth.members:
            yield name, "members", replica.active_members()
        for field_name in ("title", "is_archived"):
            if (
                replica.conversation.get(field_name)
                != (history.truth.conversation[field_name])
            ):
                yield name, field_name, replica.conversation.get(field_name)


def _difference(ours: dict[str, Any], theirs: dict[str, Any]) -> list[Any]:
    keys = [
        key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
    ]
    return [_fields(ours.get(key, {}), theirs.get(key, {})) for key in keys[:3]]


def _fields(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    return {
        name: (ours.get(name), theirs.get(name))
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name) or name == "revision"
    }


def _removed(history: History) -> Iterable[Any]:
    """Nothing newer than a removal reaches who was removed (H11)."""
    for removal in history.operations("remove"):
        end = next(
            (r for r, _, key in history.truth.issued if key == f"-{removal.target}"),
            None,
        )
        if end is None:
            if removal.step == "ok":
                yield removal.target, "not issued"
            continue
        for session in history.record.sessions:
            newer = [r for r in session.revisions(removal.conversation_id) if r > end]
            if session.client == removal.target and newer:
                yield removal.target, newer


def _unread(history: History) -> Iterable[Any]:
    """What the server counts as unread is what a recount gives (H8)."""
    last = history.truth.conversation["last_seq"]
    for name, (unread, read_seq) in history.truth.unread.items():
        if unread != last - read_seq or last != len(history.truth.messages):
            yield name, unread, read_seq, last


def _by_target(history: History, kind: str) -> dict[str, list[Operation]]:
    """Return the operations of a kind by what they were about, in their order."""
    found: dict[str, list[Operation]] = {}
    for operation in history.operations(kind):
        found.setdefault(operation.target, []).append(operation)
    return found


RULES: dict[str, Callable[[History], Iterable[Any]]] = {
    "H1 acked and lost": _lost,
    "H2 doubled": _doubled,
    "H3 invoked by nobody": _phantoms,
    "H3 text of nobody": _texts,
    "H3 deletion": _deletions,
    "H4 seq not contiguous": _gaps_in_seq,
    "H4 readers differ": _readings,
    "H5 real time order": _real_time,
    "H6 revisions not issued once": _issued,
    "H6 delivered out of order": _delivered,
    "H6 state after sync": _replicas,
    "H8 reactions": _reactions,
    "H8 unread": _unread,
    "H11 after removal": _removed,
}
