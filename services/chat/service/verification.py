"""Checks that what is stored is whole: in use, in constant memory, changing nothing."""

from collections import Counter
from collections.abc import Callable

import msgspec

from libs.kernel import ConversationId
from services.chat.domain.errors import ConversationNotFoundError
from services.chat.domain.integrity import Finding, Inspection
from services.chat.ports import InspectionStore

Report = Callable[[str, int, int], None]
"""Called with the work's name, conversations checked, and about how many there are."""

FINDINGS_MAX = 200
_BATCH = 500
_WORK = "verify"


class Verdict(msgspec.Struct, kw_only=True):
    """What was checked and what was found.

    Attributes:
        stubs: What is left of messages that retention took.
        own_writings: Drafts, notes and scheduled messages.
        awaiting_deletion: Messages below their conversation's `first_seq`.
        counts: Findings by code, all of them.
        findings: The first ones.
    """

    conversations: int = 0
    messages: int = 0
    stubs: int = 0
    own_writings: int = 0
    awaiting_deletion: int = 0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    findings: list[Finding] = msgspec.field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.counts

    def add(self, inspection: Inspection) -> None:
        """Add one conversation's result."""
        self.conversations += 1
        self.messages += inspection.messages
        self.stubs += inspection.stubs
        self.own_writings += inspection.own_writings
        self.awaiting_deletion += inspection.awaiting_deletion
        self.counts += inspection.counts
        room = FINDINGS_MAX - len(self.findings)
        self.findings += inspection.findings[:room]


class Verification:
    """Checks conversations; see `Inspection` for the rules."""

    def __init__(self, store: InspectionStore) -> None:
        self._store = store

    async def check_one(self, conversation_id: ConversationId) -> Verdict:
        """Check one conversation.

        Raises:
            ConversationNotFoundError: There is none.
            UnavailableError: Database or key service is out of reach.
        """
        verdict = Verdict()
        inspection = await self._inspected(conversation_id)
        if inspection is None:
            raise ConversationNotFoundError
        verdict.add(inspection)
        return verdict

    async def check_all(self, report: Report) -> Verdict:
        """Check every conversation; see `check_one`.

        Args:
            report: Told after each conversation.
        """
        verdict, after = Verdict(), ""
        total = await self._store.count()
        while ids := await self._store.conversation_ids(after=after, limit=_BATCH):
            for conversation_id in ids:
                inspection = await self._inspected(conversation_id)
                if inspection is not None:
                    verdict.add(inspection)
                report(_WORK, verdict.conversations, total)
            after = ids[-1]
        return verdict

    async def _inspected(self, conversation_id: ConversationId) -> Inspection | None:
        store = self._store
        before = await store.conversation(conversation_id)
        if before is None:
            return None
        inspection = Inspection(before)
        if before.is_deleted:
            inspection.finish_deleted()
            return inspection
        async for message in store.messages(conversation_id):
            inspection.message(message)
        async for revision in store.message_revisions(conversation_id):
            inspection.message_revision(revision)
        async for text in store.own_writings(conversation_id):
            inspection.own_text(text)
        members = [member async for member in store.members(conversation_id)]
        after = await store.conversation(conversation_id)
        if after is None or after.is_deleted:  # deleted meanwhile: nothing opens
            return await self._inspected(conversation_id)
        for member in members:
            inspection.member(member, after.last_seq)
        inspection.finish(after)
        return inspection
