"""Who writes which conversations, and how the others reach that process."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from libs.kernel import ConversationId, UnavailableError
from services.chat.domain.message import Draft, Message

PARTITIONS = 64
"""Conversations are spread over so many by their hash; each has one writer."""


class Peer(msgspec.Struct, frozen=True):
    """A chat process.

    Attributes:
        process_id: New with every start.
        address: ``host:port`` where it takes messages for its partitions.
    """

    process_id: str
    address: str


class LeaseTable(msgspec.Struct, frozen=True):
    """What the database says at one moment, by its own clock.

    Attributes:
        peers: Processes whose heartbeat has not run out, by process id.
        owners: Process id by partition, where the lease has not run out.
    """

    peers: Mapping[str, Peer]
    owners: Mapping[int, str]


class PartitionStore(Protocol):
    """Leases on partitions, on the database's clock."""

    async def beat(self, me: Peer, ttl_seconds: float) -> LeaseTable:
        """Say that a process lives, renew the leases it has, return everybody's.

        Raises:
            UnavailableError: The database does not answer.
        """
        ...

    async def acquire(
        self, partitions: Sequence[int], me: Peer, ttl_seconds: float
    ) -> LeaseTable:
        """Take those of the partitions that nobody holds; return what is so then."""
        ...

    async def hand_over(
        self, receivers: Mapping[int, str], me: Peer, ttl_seconds: float
    ) -> None:
        """Give own partitions to other processes, by partition."""
        ...

    async def leave(self, me: Peer) -> None:
        """Release everything and end the heartbeat; others may take over at once."""
        ...


class ToldMessage(msgspec.Struct, frozen=True, array_like=True):
    """A message that was just committed, as sockets see it.

    Attributes:
        payload: What `Rooms.encode` made of it.
    """

    conversation_id: ConversationId
    revision: int
    seq: int
    payload: bytes


class Siblings(Protocol):
    """The other chat processes, as those who want to hear what is new."""

    @property
    def are_linked(self) -> bool:
        """Whether there are any that would hear it."""
        ...

    def tell(self, messages: Sequence[ToldMessage]) -> None:
        """Tell them all, in order and at once; what does not arrive may be lost."""
        ...


class PeerLostError(UnavailableError):
    """The owner could not be asked, or did not answer: what it did is not known."""

    def __init__(self) -> None:
        super().__init__("peer_lost", "The conversation's writer does not answer.")


class Peers(Protocol):
    """Links to the other chat processes."""

    def keep(self, peers: Iterable[Peer]) -> None:
        """Hold a link to each of these and to no other."""
        ...

    async def send(self, peer: Peer, draft: Draft) -> Message:
        """Let another process append a draft; messages keep their order.

        Raises:
            PeerLostError: No answer; the draft may or may not be stored.
            AppError: What its writer told.
        """
        ...
