"""Leases on partitions in memory; several processes of a test share one."""

from collections.abc import Callable, Mapping, Sequence

from services.chat.ports.partitions import LeaseTable, Peer


class MemoryPartitions:
    """`PartitionStore` in dictionaries.

    Args:
        now: Seconds on the store's own clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._peers: dict[str, tuple[Peer, float]] = {}
        self._leases: dict[int, tuple[str, float]] = {}

    async def beat(self, me: Peer, ttl_seconds: float) -> LeaseTable:
        """Say that a process lives, renew its leases, return everybody's."""
        until = self._now() + ttl_seconds
        self._peers[me.process_id] = (me, until)
        for partition, (owner, _) in self._leases.items():
            if owner == me.process_id:
                self._leases[partition] = (owner, until)
        return self._read()

    async def acquire(
        self, partitions: Sequence[int], me: Peer, ttl_seconds: float
    ) -> LeaseTable:
        """Take those of the partitions that nobody holds."""
        owned = self._read().owners
        for partition in partitions:
            if partition not in owned:
                until = self._now() + ttl_seconds
                self._leases[partition] = (me.process_id, until)
        return self._read()

    async def hand_over(
        self, receivers: Mapping[int, str], me: Peer, ttl_seconds: float
    ) -> None:
        """Give own partitions to other processes."""
        for partition, receiver in receivers.items():
            if self._leases.get(partition, ("", 0.0))[0] == me.process_id:
                self._leases[partition] = (receiver, self._now() + ttl_seconds)

    async def leave(self, me: Peer) -> None:
        """Release everything and end the heartbeat."""
        self._peers.pop(me.process_id, None)
        for partition, (owner, _) in list(self._leases.items()):
            if owner == me.process_id:
                del self._leases[partition]

    def _read(self) -> LeaseTable:
        now = self._now()
        return LeaseTable(
            {name: peer for name, (peer, until) in self._peers.items() if until > now},
            {n: owner for n, (owner, until) in self._leases.items() if until > now},
        )
