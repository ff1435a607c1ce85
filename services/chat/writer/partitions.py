"""One writer a conversation: partitions, leased on the database's clock.

Every process beats once a second, which renews its leases and tells it everybody's.
Of the living processes each partition has a favourite (rendezvous hashing): the
favourite takes the partition when it is free, and an owner hands it to a favourite that
has come up. Whoever is wrong about it does no harm: the compare-and-set of the commit
holds, two writers only cost tries. Source: DESIGN.md section 4, ADR 0021.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

import structlog
from prometheus_client import Gauge

from libs.kernel import AppError, Clock, ConversationId
from services.chat.ports.partitions import (
    PARTITIONS,
    LeaseTable,
    PartitionStore,
    Peer,
    Peers,
)

_log = structlog.get_logger()
_OWNED = Gauge("chat_writer_partitions_owned", "Partitions leased by this process")
_SAFE_SHARE = 0.6  # of a lease: by then a clock that runs wrong is still inside it


@dataclass(frozen=True)
class LeaseLimits:
    """How long a lease lasts.

    Attributes:
        ttl_seconds: A partition of a process that was killed is free after it.
        beat_seconds: Between two renewals.
    """

    ttl_seconds: float = 5.0
    beat_seconds: float = 1.0


def partition_of(conversation_id: ConversationId) -> int:
    """Return the partition of a conversation, the same in every process."""
    return crc32(conversation_id.encode()) % PARTITIONS


def favourite_of(partition: int, peers: Mapping[str, Peer]) -> str:
    """Return who should write a partition: each process has its share.

    When a process comes or goes only its own partitions move.
    """

    def weight(process_id: str) -> bytes:
        return blake2b(f"{partition}:{process_id}".encode(), digest_size=8).digest()

    return max(peers, key=weight)


class Partitions:
    """What this process knows of who writes what.

    Args:
        store: The leases.
        me: This process.
        links: Kept open to the living.
        clock: Monotonic; how long what is known holds.
        limits: See `LeaseLimits`.
        on_processes: Told how many processes live, after each beat.
    """

    def __init__(
        self,
        store: PartitionStore,
        me: Peer,
        links: Peers,
        clock: Clock,
        *,
        limits: LeaseLimits | None = None,
        on_processes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._on_processes = on_processes
        self._store = store
        self._me = me
        self._links = links
        self._clock = clock
        self._limits = limits or LeaseLimits()
        self._table = LeaseTable({}, {})
        self._holds_until = float("-inf")
        self._avoided: dict[str, float] = {}

    def owner_of(self, conversation_id: ConversationId) -> Peer | None:
        """Return the other process that writes a conversation, or None.

        None: it is this one, or nobody that is known to live; then this one writes.
        """
        now = self._clock.monotonic()
        if now >= self._holds_until:
            return None
        owner = self._table.owners.get(partition_of(conversation_id))
        if owner is None or owner == self._me.process_id:
            return None
        if now < self._avoided.get(owner, 0.0):
            return None
        return self._table.peers.get(owner)

    def owns(self, partition: int) -> bool:
        """Tell whether this process believes to hold a lease that has not run out."""
        is_known = self._clock.monotonic() < self._holds_until
        return is_known and self._table.owners.get(partition) == self._me.process_id

    def avoid(self, peer: Peer) -> None:
        """Write a process's conversations here for as long as its leases may last."""
        self._avoided[peer.process_id] = (
            self._clock.monotonic() + self._limits.ttl_seconds
        )

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self.beat()
            except AppError as error:
                _log.warning("partitions_not_renewed", code=error.code)
                self._keep_links()  # late answers are given up all the same
            await asyncio.sleep(self._limits.beat_seconds)

    async def beat(self) -> None:
        """Renew what is held, hand over what is another's, take what is free.

        Raises:
            UnavailableError: The database does not answer; what is known runs out.
        """
        asked_at, ttl = self._clock.monotonic(), self._limits.ttl_seconds
        table = await self._store.beat(self._me, ttl)
        favourites = {p: favourite_of(p, table.peers) for p in range(PARTITIONS)}
        mine = self._me.process_id
        handed = {
            partition: favourites[partition]
            for partition, owner in table.owners.items()
            if owner == mine and favourites[partition] != mine
        }
        wanted = [
            partition
            for partition, favourite in favourites.items()
            if favourite == mine and partition not in table.owners
        ]
        if handed:
            await self._store.hand_over(handed, self._me, ttl)
            table = LeaseTable(table.peers, {**table.owners, **handed})
        if wanted:
            table = await self._store.acquire(wanted, self._me, ttl)
        self._learn(table, asked_at)

    async def leave(self) -> None:
        """Release everything: from now on the others are asked to take over.

        Raises:
            UnavailableError: The database does not answer; the leases run out.
        """
        self._holds_until = float("-inf")
        await self._store.leave(self._me)

    def _learn(self, table: LeaseTable, asked_at: float) -> None:
        before = sum(self.owns(partition) for partition in range(PARTITIONS))
        self._table = table
        self._holds_until = asked_at + self._limits.ttl_seconds * _SAFE_SHARE
        after = sum(self.owns(partition) for partition in range(PARTITIONS))
        if after != before:
            _log.info("partitions_changed", owned=after, processes=len(table.peers))
        _OWNED.set(after)
        self._on_processes(len(table.peers))
        self._keep_links()
        self._avoided = {
            process_id: until
            for process_id, until in self._avoided.items()
            if process_id in table.peers
        }

    def _keep_links(self) -> None:
        self._links.keep(p for p in self._table.peers.values() if p != self._me)
