"""What must hold of a stored conversation, checked over a stream of its documents.

The store may be in use: what is compared is what held between a look at the
conversation before and one after. Source: DESIGN.md section 4.
"""

from collections import Counter

import msgspec

from libs.kernel import ConversationId, MessageId, UserId

FINDINGS_MAX = 20
_GAPS_MAX = 1_000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not be.

    Attributes:
        code: Stable name of the rule that is broken.
        place: The seq, revision or id it was found at.
    """

    code: str
    conversation_id: ConversationId
    place: str


class SeenConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation's counters, and what of its own did not open.

    Attributes:
        has_keys: Whether data keys are stored.
        unreadable: Names of fields and ids of data keys.
    """

    conversation_id: ConversationId
    first_seq: int
    last_seq: int
    revision: int
    changed_revision: int
    is_deleted: bool
    has_keys: bool
    unreadable: tuple[str, ...] = ()


class SeenMessage(msgspec.Struct, frozen=True):
    """A stored message, and whether all that is sealed of it opens.

    Attributes:
        seq: The message's; of a stub below zero, as it is stored.
        is_readable: Of a stub: whether nothing is left that could be read.
    """

    message_id: MessageId
    seq: int
    is_readable: bool


class SeenText(msgspec.Struct, frozen=True):
    """A text of a user's own in a conversation, and whether it opens.

    Attributes:
        kind: draft, note or scheduled.
        place: Its id.
    """

    kind: str
    place: str
    is_readable: bool


class SeenMember(msgspec.Struct, frozen=True, kw_only=True):
    """A stored membership."""

    user_id: UserId
    revision: int
    read_seq: int
    visible_from_seq: int


class Inspection:
    """One conversation's check, in constant memory.

    Args:
        before: The conversation before anything else of it was read.

    Attributes:
        messages: Messages looked at.
        own_writings: Drafts, notes and scheduled messages looked at.
        stubs: What is left of messages that retention took.
        awaiting_deletion: Those below `first_seq`: a retention run will take them.
        counts: Findings by code, all of them.
        findings: The first of each code.
    """

    def __init__(self, before: SeenConversation) -> None:
        self._before = before
        self._next_seq = before.first_seq
        self._last_revision = 0
        self._highest_revision = before.changed_revision
        self._highest_seq = 0
        self._highest_stub = 0
        self._gaps: list[tuple[int, int]] = []
        self.messages = 0
        self.stubs = 0
        self.own_writings = 0
        self.awaiting_deletion = 0
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []
        for name in before.unreadable:
            self._find("field_unreadable", name)

    def message(self, seen: SeenMessage) -> None:
        """Look at the next message, in the order of seq; stubs may come among them."""
        if seen.seq < 0:
            self._stub(seen)
            return
        self.messages += 1
        if not seen.is_readable:
            self._find("message_unreadable", seen.message_id)
        if seen.seq < self._before.first_seq:
            self.awaiting_deletion += 1
        elif seen.seq > self._before.last_seq:
            self._highest_seq = max(self._highest_seq, seen.seq)
        elif seen.seq < self._next_seq:
            self._find("seq_repeated", seen.seq)
        else:
            if seen.seq > self._next_seq:
                self._miss(self._next_seq, seen.seq - 1)
            self._next_seq = seen.seq + 1

    def message_revision(self, revision: int) -> None:
        """Look at the next message's revision, in order; a stub's is below zero."""
        if revision == self._last_revision:
            self._find("revision_repeated", revision)
        self._last_revision = revision
        self._highest_revision = max(self._highest_revision, abs(revision))

    def own_text(self, seen: SeenText) -> None:
        """Look at a draft, a note or a scheduled message of one of the members."""
        self.own_writings += 1
        if not seen.is_readable:
            self._find(f"{seen.kind}_unreadable", seen.place)

    def member(self, seen: SeenMember, last_seq: int) -> None:
        """Look at a membership.

        Args:
            seen: The membership.
            last_seq: The conversation's, read after it.
        """
        self._highest_revision = max(self._highest_revision, seen.revision)
        is_read_in_range = 0 <= seen.read_seq <= last_seq
        if not (is_read_in_range and 1 <= seen.visible_from_seq <= last_seq + 1):
            self._find("marker_out_of_range", seen.user_id)

    def finish(self, after: SeenConversation) -> None:
        """Draw the line, with the conversation as it is after everything was read."""
        before = self._before
        if self._next_seq <= before.last_seq:
            self._miss(self._next_seq, before.last_seq)
        for first, last in self._gaps:  # less what retention took meanwhile
            if last >= after.first_seq:
                self._find("seq_missing", f"{max(first, after.first_seq)}..{last}")
        if self._highest_seq > after.last_seq:
            self._find("seq_above_last", self._highest_seq)
        if self._highest_stub >= after.first_seq:
            self._find("stub_of_kept", self._highest_stub)
        if self._highest_revision > after.revision:
            self._find("revision_above_conversation", self._highest_revision)
        elif self._highest_revision < before.revision:
            self._find("revision_not_stored", before.revision)

    def finish_deleted(self) -> None:
        """Check what is left of a deleted conversation: nothing that opens."""
        if self._before.has_keys:
            self._find("deleted_with_keys", self._before.conversation_id)

    def _stub(self, seen: SeenMessage) -> None:
        self.stubs += 1
        self._highest_stub = max(self._highest_stub, -seen.seq)
        if not seen.is_readable:
            self._find("stub_not_empty", seen.message_id)

    def _miss(self, first: int, last: int) -> None:
        if len(self._gaps) < _GAPS_MAX:
            self._gaps.append((first, last))

    def _find(self, code: str, place: object) -> None:
        self.counts[code] += 1
        if self.counts[code] <= FINDINGS_MAX:
            self.findings.append(
                Finding(
                    code=code,
                    conversation_id=self._before.conversation_id,
                    place=str(place),
                )
            )
