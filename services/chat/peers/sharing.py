"""How the chat processes share the conversations: leases, links and listener as one."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from libs.chassis.principals import Principal
from libs.chassis.security import InternalTokenSigner, InternalTokenVerifier
from libs.kernel import AppError, Clock, new_id
from services.chat.domain.message import Message
from services.chat.peers.link import PeerLinks
from services.chat.peers.listener import PeerListener, bound_socket
from services.chat.ports.partitions import PartitionStore, Peer, ToldMessage
from services.chat.writer import GroupCommitWriter, Partitions, RoutedWriter

_SERVICE = "chat"


class Sharing:
    """One process among its siblings.

    Args:
        writer: Of this process.
        store: The leases.
        clock: Measures how long they hold.
        instance_id: Beginning of the process's name; the rest is new with each start.
        listen: Host and port for the siblings; port 0 takes any free one.
        reached_as: Host by which they reach it; empty: the same.
        key_file: Private key that signs internal tokens of chat.
        jwks_file: Public keys of the callers.

    Attributes:
        writer: Sends each draft to the process that writes its conversation.
        partitions: Who that is; its `run` is to be supervised.

    Raises:
        StartError: The port is taken.
        SigningKeysError: A key file cannot be used.
    """

    def __init__(
        self,
        writer: GroupCommitWriter,
        store: PartitionStore,
        clock: Clock,
        *,
        instance_id: str,
        listen: tuple[str, int],
        reached_as: str,
        key_file: Path,
        jwks_file: Path,
    ) -> None:
        verifier = InternalTokenVerifier(jwks_file, _SERVICE)
        verifier.load()
        signer = InternalTokenSigner(key_file, _SERVICE)
        token = Principal.service()
        self._local = writer
        self._links = PeerLinks(lambda: signer.token(_SERVICE, token), clock)
        self._listener = PeerListener(writer, verifier.verify)
        self._bound = bound_socket(*listen)
        address = f"{reached_as or listen[0]}:{self._bound.getsockname()[1]}"
        me = Peer(f"{instance_id}:{new_id()}", address)
        self.partitions = Partitions(
            store, me, self._links, clock, on_processes=writer.share
        )
        self.writer = RoutedWriter(writer, self.partitions, self._links)

    @property
    def are_linked(self) -> bool:
        """Whether another process hears of what is told; see `Siblings`."""
        return self._listener.are_linked

    def tell(self, messages: Sequence[ToldMessage]) -> None:
        """Tell the other processes of what was just committed; see `Siblings`."""
        self._listener.tell(messages)

    def on_stored(self, callback: Callable[[Sequence[Message]], None]) -> None:
        """Call back with what this process has just committed."""
        self._local.on_stored(callback)

    def on_news(self, callback: Callable[[Sequence[ToldMessage]], None]) -> None:
        """Call back with what another process has just committed."""
        self._links.on_news(callback)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write, and take siblings' messages, while the block runs.

        Leaving it hands over, answers what was taken and commits what is queued.
        """
        async with self._local.running(), self._listener.listening(self._bound):
            try:
                yield
            finally:
                with suppress(AppError):  # then the leases run out by themselves
                    await self.partitions.leave()
                await self._links.aclose()
