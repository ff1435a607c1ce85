"""Word of a removal, ahead of its event: typing and presence know no revision."""

import structlog

from libs.kernel import AppError, ConversationId, UserId
from services.chat.ports import RemovalChannel
from services.chat.service.live import LiveDelivery

_log = structlog.get_logger()


class Removals:
    """Takes removed members out of the rooms of every process at once.

    The event does the same later, wherever this word is lost.

    Args:
        live: The rooms of this process.
        channel: Tells the other processes.
    """

    def __init__(self, live: LiveDelivery, channel: RemovalChannel) -> None:
        self._live = live
        self._channel = channel

    async def announce(
        self, conversation_id: ConversationId, user_id: UserId, revision: int
    ) -> None:
        """Tell of a removal that is committed; never fails.

        Args:
            conversation_id: Where.
            user_id: Who.
            revision: Of the removal.
        """
        self._live.expel(conversation_id, user_id, revision)
        try:
            await self._channel.publish(conversation_id, user_id, revision)
        except AppError as error:
            _log.warning("removal_not_announced", code=error.code)
