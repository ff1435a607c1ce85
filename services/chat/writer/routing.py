"""Sends each draft to the one process that writes its conversation."""

from prometheus_client import Counter

from libs.kernel import ConversationId, UnavailableError
from services.chat.domain.errors import SendUnconfirmedError
from services.chat.domain.message import Draft, Message
from services.chat.ports import MessageWriter
from services.chat.ports.partitions import Peer, PeerLostError, Peers
from services.chat.writer.partitions import Partitions

_FORWARDED = Counter(
    "chat_writer_forwarded_messages", "Messages passed to another process", ["outcome"]
)
_outcomes = {name: _FORWARDED.labels(name) for name in ("stored", "refused", "lost")}


class RoutedWriter:
    """Implements `MessageWriter`: here, or by the owner.

    An owner that is lost or silent costs a wait, not the message: it is written here.
    Both may have written it then; its ``client_message_id`` lets only one stand, and
    that one is answered.

    Args:
        local: The writer of this process.
        partitions: Knows the owners.
        links: Reach them.
    """

    def __init__(
        self, local: MessageWriter, partitions: Partitions, links: Peers
    ) -> None:
        self._local = local
        self._partitions = partitions
        self._links = links

    async def submit(self, draft: Draft) -> Message:
        """Append a checked draft; see `GroupCommitWriter.submit`.

        Raises:
            AppError: What the writer tells, whichever process it is in.
        """
        owner = self._partitions.owner_of(draft.conversation_id)
        if owner is None:
            return await self._local.submit(draft)
        try:
            return await self._forwarded(owner, draft)
        except PeerLostError:
            self._partitions.avoid(owner)
            return await self._write_in_doubt(draft)

    async def _write_in_doubt(self, draft: Draft) -> Message:
        """Write here what the owner may have written, or may yet write.

        Raises:
            SendUnconfirmedError: It cannot be written here now, which says nothing of
                the owner.
            AppError: See `submit`.
        """
        try:
            return await self._local.submit(draft)
        except UnavailableError as error:
            raise SendUnconfirmedError from error

    def forget(self, conversation_id: ConversationId) -> None:
        """Drop what is remembered here of a conversation that another path changed."""
        self._local.forget(conversation_id)

    async def _forwarded(self, owner: Peer, draft: Draft) -> Message:
        outcome = "refused"
        try:
            message = await self._links.send(owner, draft)
            outcome = "stored"
        except PeerLostError:
            outcome = "lost"
            raise
        finally:
            _outcomes[outcome].inc()
        return message
