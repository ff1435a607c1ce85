"""What changed of a user's own since a revision, of any age."""

from libs.kernel import UserId
from services.chat.domain.errors import OwnRevisionUnknownError
from services.chat.ports import OwnChanges, PersonalRepository


class OwnStream:
    """Answers a client that knows its user's own stream up to a revision."""

    def __init__(self, personal: PersonalRepository) -> None:
        self._personal = personal

    async def changes(self, user_id: UserId, *, since: int, limit: int) -> OwnChanges:
        """Return the current state of all that changed after a revision.

        As of one moment: what is told live later, in parts, has its whole before it.

        Args:
            user_id: Whose.
            since: Revision the client is at; 0 asks for everything.
            limit: Items in the answer at most, at least 1.

        Raises:
            OwnRevisionUnknownError: `since` is above the stream's revision.
        """
        revision, items = await self._personal.changed(
            user_id, since=since, limit=limit + 1
        )
        if since > revision:
            raise OwnRevisionUnknownError(revision)
        has_more = len(items) > limit
        shown = items[:limit]
        return OwnChanges(
            items=tuple(shown),
            revision=shown[-1].user_revision if has_more else revision,
            has_more=has_more,
        )
