"""The rules of a stored conversation, each broken once."""

import msgspec
import pytest

from libs.kernel import ConversationId, MessageId, UserId
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.domain.integrity import (
    FINDINGS_MAX,
    Inspection,
    SeenConversation,
    SeenMember,
    SeenMessage,
    SeenText,
)
from services.chat.service.verification import Verification

WHOLE = SeenConversation(
    conversation_id=ConversationId("c"),
    first_seq=3,
    last_seq=6,
    revision=9,
    changed_revision=2,
    is_deleted=False,
    has_keys=True,
)


def changed(**fields) -> SeenConversation:
    """Return a conversation with seqs 3..6 and revision 9, but for some fields."""
    return msgspec.structs.replace(WHOLE, **fields)


def member(**fields) -> SeenMember:
    """Return a membership in range."""
    known = {"user_id": UserId("u"), "revision": 1, "read_seq": 4}
    return SeenMember(**{"visible_from_seq": 1, **known, **fields})


def inspected(
    seqs=(3, 4, 5, 6),
    revisions=(4, 5, 6, 9),
    *,
    before: SeenConversation = WHOLE,
    after: SeenConversation = WHOLE,
    members=(),
    unreadable=(),
) -> Inspection:
    """Return the finished inspection of what is given."""
    inspection = Inspection(before)
    for seq in seqs:
        readable = seq not in unreadable
        inspection.message(SeenMessage(MessageId(f"m{seq}"), seq, readable))
    for revision in revisions:
        inspection.message_revision(revision)
    for one in members:
        inspection.member(one, after.last_seq)
    inspection.finish(after)
    return inspection


def found(inspection: Inspection) -> list[tuple[str, str]]:
    """Return what was found."""
    return [(finding.code, finding.place) for finding in inspection.findings]


def test_a_whole_conversation_is_clean() -> None:
    """Tombstones, markers at the edges and a retention that goes on are fine."""
    edges = [member(read_seq=0), member(read_seq=6, visible_from_seq=7)]
    inspection = inspected((1, 2, 3, 4, 5, 6), members=edges)
    assert found(inspection) == []
    assert (inspection.messages, inspection.awaiting_deletion) == (6, 2)
    assert found(inspected((-2, -1, 3, 4, 5, 6), (-7, 4, 5, 9))) == []
    empty = changed(first_seq=7, revision=2)
    assert found(inspected((), (), before=empty, after=empty)) == []


@pytest.mark.parametrize(
    ("case", "code", "place"),
    [
        ({"seqs": (3, 6)}, "seq_missing", "4..5"),
        ({"seqs": (3, 4, 5)}, "seq_missing", "6..6"),
        ({"seqs": (4, 5, 6)}, "seq_missing", "3..3"),
        ({"seqs": (3, 4, 4, 5, 6)}, "seq_repeated", "4"),
        ({"seqs": (3, 4, 5, 6, 7)}, "seq_above_last", "7"),
        ({"seqs": (-3, 3, 4, 5, 6)}, "stub_of_kept", "3"),
        ({"seqs": (-1, 3, 4, 5, 6), "unreadable": (-1,)}, "stub_not_empty", "m-1"),
        ({"revisions": (-12, 4, 5, 9)}, "revision_above_conversation", "12"),
        ({"unreadable": (5,)}, "message_unreadable", "m5"),
        ({"revisions": (4, 5, 5, 9)}, "revision_repeated", "5"),
        ({"revisions": (4, 5, 6, 10)}, "revision_above_conversation", "10"),
        ({"revisions": (4, 5, 6, 8)}, "revision_not_stored", "9"),
        ({"members": [member(read_seq=7)]}, "marker_out_of_range", "u"),
        ({"members": [member(read_seq=-1)]}, "marker_out_of_range", "u"),
        ({"members": [member(visible_from_seq=8)]}, "marker_out_of_range", "u"),
        ({"before": changed(unreadable=("title",))}, "field_unreadable", "title"),
    ],
)
def test_each_rule_is_found_alone(case, code, place) -> None:
    """One broken thing is one finding, at its place."""
    assert found(inspected(**case)) == [(code, place)]


def test_what_happens_meanwhile_is_no_finding() -> None:
    """Messages sent, members who read them, edits and a retention during the look."""
    after = changed(first_seq=5, last_seq=8, revision=12)
    inspection = inspected(
        (5, 6, 7, 8), (9, 10, 11, 12), after=after, members=[member(read_seq=8)]
    )
    assert found(inspection) == []
    half = inspected((5,), after=after)
    assert found(half) == [("seq_missing", "6..6")]


def test_findings_are_bounded_and_counted() -> None:
    """A ruin is told as such, in little memory."""
    inspection = inspected(unreadable=(3, 4, 5, 6), seqs=(3, 4, 5, 6))
    assert inspection.counts["message_unreadable"] == 4
    big = changed(first_seq=1, last_seq=100, revision=2)
    ruin = inspected(range(1, 101), (), before=big, after=big, unreadable=range(101))
    assert len(ruin.findings) == FINDINGS_MAX
    assert ruin.counts["message_unreadable"] == 100


class MemoryInspection:
    """`InspectionStore` over what a test says."""

    def __init__(self, *looks: SeenConversation | None) -> None:
        self.looks = list(looks)

    async def count(self) -> int:
        """One."""
        return 1

    async def conversation_ids(self, *, after: str, limit: int) -> list[ConversationId]:
        """One page of one."""
        return [] if after else [ConversationId("c")]

    async def conversation(self, _conversation_id) -> SeenConversation | None:
        """Return the next look; the last one stays."""
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    async def messages(self, _conversation_id):
        """Seqs 3..6."""
        for seq in (3, 4, 5, 6):
            yield SeenMessage(MessageId(f"m{seq}"), seq, True)  # noqa: FBT003

    async def message_revisions(self, _conversation_id):
        """Up to the conversation's."""
        for revision in (4, 5, 6, 9):
            yield revision

    async def own_writings(self, _conversation_id):
        """A draft that opens."""
        yield SeenText("draft", "d", True)  # noqa: FBT003

    async def members(self, _conversation_id):
        """One in range."""
        yield member()


async def test_a_run_tells_what_it_saw() -> None:
    """All, one, and one that is not there."""
    verification = Verification(MemoryInspection(WHOLE))
    told: list[tuple[int, int]] = []
    verdict = await verification.check_all(lambda _, *numbers: told.append(numbers))
    assert (verdict.is_whole, verdict.conversations, verdict.messages) == (True, 1, 4)
    assert (told, verdict.own_writings) == ([(1, 1)], 1)
    assert (await verification.check_one(ConversationId("c"))).is_whole
    with pytest.raises(ConversationNotFoundError):
        await Verification(MemoryInspection(None)).check_one(ConversationId("c"))
    gone = Verification(MemoryInspection(None))
    assert (await gone.check_all(lambda *_: None)).conversations == 0


async def test_a_deleted_conversation_has_no_keys() -> None:
    """Its noise is not looked at; one deleted during the look neither."""
    shredded = changed(is_deleted=True, has_keys=False)
    for looks in ([shredded], [changed(last_seq=99), shredded]):
        verdict = await Verification(MemoryInspection(*looks)).check_one("c")
        assert (verdict.is_whole, verdict.conversations) == (True, 1)
    left = Verification(MemoryInspection(changed(is_deleted=True)))
    assert (await left.check_one("c")).counts == {"deleted_with_keys": 1}
