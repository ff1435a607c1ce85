"""Who may put a document somewhere, and who may see it."""

from services.media.domain import (
    Document,
    DocumentForbiddenError,
    DocumentNotFoundError,
    DocumentStatus,
    Membership,
    Scope,
    ScopeArchivedError,
    ScopeKind,
    ScopeNotFoundError,
)
from services.media.ports import AccessRepository

_OWNER = Membership(role="owner")


class AccessPolicy:
    """Answers from the projection; what one may not see does not exist."""

    def __init__(self, access: AccessRepository) -> None:
        self._access = access

    async def require_reader(self, scope: Scope, user_id: str) -> None:
        """Check that somebody may list the documents of a home.

        Raises:
            ScopeNotFoundError: Not a member, or there is no such home (yet).
        """
        await self._require_membership(scope, user_id)

    async def require_contributor(self, scope: Scope, user_id: str) -> None:
        """Check that somebody may put a document there.

        Raises:
            ScopeNotFoundError: Not a member, or there is no such home (yet).
            ScopeArchivedError: It is read-only.
        """
        membership = await self._require_membership(scope, user_id)
        if membership.is_archived:
            raise ScopeArchivedError

    async def require_visible(
        self, document: Document | None, user_id: str
    ) -> Document:
        """Return a document that somebody may see.

        Its owner sees it in every status, members once its bytes have arrived. An
        owner who left the conversation sees it no more.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not for this user.
        """
        if document is None or document.status is DocumentStatus.DELETED:
            raise DocumentNotFoundError
        is_owner = document.owner_id == user_id
        if document.status is DocumentStatus.UPLOADING and not is_owner:
            raise DocumentNotFoundError
        if await self._membership(document.scope, user_id) is None:
            raise DocumentNotFoundError
        return document

    async def require_shown(self, document: Document | None, user_id: str) -> Document:
        """Return a document whose renditions somebody may see.

        Whoever may see a document may; and everybody where it is the picture that its
        owner shows in their profile.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not for this user.
        """
        is_shown = (
            document is not None
            and document.status is DocumentStatus.READY
            and await self._access.is_avatar(document.owner_id, document.document_id)
        )
        if document is not None and is_shown:
            return document
        return await self.require_visible(document, user_id)

    async def require_owned(self, document: Document | None, user_id: str) -> Document:
        """Return a document that somebody owns, member or not.

        Raises:
            DocumentNotFoundError: Missing, deleted, or not visible to the user.
            DocumentForbiddenError: Visible, but another's.
        """
        if (
            document is not None
            and document.owner_id == user_id
            and document.status is not DocumentStatus.DELETED
        ):
            return document
        await self.require_visible(document, user_id)
        raise DocumentForbiddenError

    async def _require_membership(self, scope: Scope, user_id: str) -> Membership:
        membership = await self._membership(scope, user_id)
        if membership is None:
            raise ScopeNotFoundError
        return membership

    async def _membership(self, scope: Scope, user_id: str) -> Membership | None:
        if await self._access.is_barred(user_id):
            return None  # suspended or gone: no more than a stranger (SR-6)
        if scope.kind is ScopeKind.PRIVATE:
            return _OWNER if scope.id == user_id else None
        return await self._access.membership(scope, user_id)
