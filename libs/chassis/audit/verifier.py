"""Whether a chain is whole, and the first number from which it is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from libs.chassis.audit.chain import ORIGIN, AuditKeys, ChainLink, Checkpoint

PAGE: Final = 1_000
FINDINGS_MAX: Final = 100
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was sealed.

    Attributes:
        seq: Where; the first number that it makes doubtful.
        kind: ``link_missing``, ``link_changed``, ``link_misplaced``,
            ``record_missing``, ``record_changed``, ``record_unchained``,
            ``end_missing``, ``checkpoint_differs`` or ``checkpoint_forged``.
        record_id: The record, where there is one.
    """

    seq: int
    kind: str
    record_id: str = ""


@dataclass(frozen=True)
class AuditVerdict:
    """What a verification saw.

    Attributes:
        service: Whose chain.
        links: How many were read.
        head: Number of the last one.
        checkpoints: How many were compared.
        findings: At most 100, in the order in which they were found.
    """

    service: str
    links: int
    head: int
    checkpoints: int
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first_bad_seq(self) -> int | None:
        """The lowest doubtful number; None of a whole chain."""
        return min((finding.seq for finding in self.findings), default=None)


class VerifiedStore(Protocol):
    """What a verification reads; `MongoChainStore` is one."""

    async def links(self, after: int, limit: int) -> list[ChainLink]:
        """Return links with numbers above one, in order."""
        ...

    async def head(self) -> ChainLink | None:
        """Return the last link."""
        ...

    async def record_hashes(self, record_ids: list[str]) -> dict[str, str]:
        """Return the hash of each of these records that is there."""
        ...

    async def record_ids(self, after: str, limit: int) -> list[str]:
        """Return ids of records above one, in order."""
        ...

    async def unchained(self, record_ids: list[str]) -> list[str]:
        """Return which of these records neither stand in the chain nor wait."""
        ...

    async def seq_after(self, record_id: str) -> int | None:
        """Return the number of the first record with a higher id."""
        ...


async def verify_chain(
    service: str,
    store: VerifiedStore,
    keys: AuditKeys,
    checkpoints: Sequence[Checkpoint],
    *,
    tell: Tell = lambda *_: None,
) -> AuditVerdict:
    """Read a whole chain and all records.

    Args:
        service: Whose chain.
        store: Links and records; may grow meanwhile.
        keys: Every key that ever chained or signed.
        checkpoints: Of the second place; those of other services are passed over.
        tell: Told the work, how much of it is done, and how much there is.

    Raises:
        UnavailableError: The database does not answer.
    """
    own = [found for found in checkpoints if found.service == service]
    run = _Verification(service, store, keys, own, tell)
    await run.read_links()
    run.compare_checkpoints()
    await run.find_unchained()
    return AuditVerdict(service, run.count, run.head, len(own), tuple(run.findings))


class _Verification:
    def __init__(
        self,
        service: str,
        store: VerifiedStore,
        keys: AuditKeys,
        checkpoints: Sequence[Checkpoint],
        tell: Tell,
    ) -> None:
        self._service = service
        self._store = store
        self._keys = keys
        self._checkpoints = checkpoints
        self._tell = tell
        self._hashes: dict[int, str] = {}
        self._wanted = {checkpoint.seq for checkpoint in checkpoints}
        self._previous = ORIGIN
        self.count = 0
        self.head = 0
        self.findings: list[Finding] = []

    async def read_links(self) -> None:
        """Walk the chain from its first link."""
        last = await self._store.head()
        total = last.seq if last else 0
        while page := await self._store.links(self.head, PAGE):
            hashes = await self._store.record_hashes([link.record_id for link in page])
            for link in page:
                self._check(link, hashes.get(link.record_id))
            self._tell("links", self.count, max(total, self.count))

    def compare_checkpoints(self) -> None:
        """Hold the chain against what was signed of it elsewhere."""
        for checkpoint in self._checkpoints:
            if not self._keys.has_signed(checkpoint):
                self._note(checkpoint.seq, "checkpoint_forged")
            elif checkpoint.seq > self.head:
                self._note(self.head + 1, "end_missing")
            elif self._hashes.get(checkpoint.seq) != checkpoint.hash:
                self._note(checkpoint.seq, "checkpoint_differs")

    async def find_unchained(self) -> None:
        """Look for records that nobody numbered and nobody will."""
        after, seen = "", 0
        while page := await self._store.record_ids(after, PAGE):
            for record_id in await self._store.unchained(page):
                following = await self._store.seq_after(record_id)
                self._note(following or self.head + 1, "record_unchained", record_id)
            after, seen = page[-1], seen + len(page)
            self._tell("records", seen, max(seen, self.count))

    def _check(self, link: ChainLink, found_hash: str | None) -> None:
        expected = self.head + 1
        if link.seq != expected:
            self._note(expected, "link_missing")
        elif link.previous != self._previous:
            self._note(link.seq, "link_misplaced", link.record_id)
        if not self._keys.is_genuine(self._service, link):
            self._note(link.seq, "link_changed", link.record_id)
        if found_hash is None:
            self._note(link.seq, "record_missing", link.record_id)
        elif found_hash != link.record_hash:
            self._note(link.seq, "record_changed", link.record_id)
        self._previous, self.head = link.hash, link.seq
        self.count += 1
        if link.seq in self._wanted:
            self._hashes[link.seq] = link.hash

    def _note(self, seq: int, kind: str, record_id: str = "") -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(seq, kind, record_id))
