"""Documents of what belongs to one user, to the domain and back."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from prometheus_client import Counter
from pymongo.asynchronous.database import AsyncDatabase

from libs.crypto import DecryptError
from libs.kernel import AppError, ConversationId, MessageId, UserId
from services.chat.domain.personal import (
    Bookmark,
    Mute,
    MuteLevel,
    OwnMembership,
    SavedDraft,
)
from services.chat.repository.documents import OWN_REVISION, Document, member_of
from services.chat.repository.keys import StoredKeys
from services.chat.repository.vault import ConversationVault

_DRAFT = "parley.chat.draft.1"
_NOTE = "parley.chat.note.1"
_log = structlog.get_logger()
_UNREADABLE = Counter(
    "chat_unreadable_own_texts_total", "Drafts and notes that did not open"
)


def draft_key(user_id: str, conversation_id: str, thread_seq: int) -> str:
    """Return the ``_id`` of a draft."""
    return f"{user_id}:{conversation_id}:{thread_seq}"


def bookmark_key(user_id: str, message_id: str) -> str:
    """Return the ``_id`` of a bookmark."""
    return f"{user_id}:{message_id}"


def membership_of(document: Document) -> OwnMembership:
    """Return a stored membership as its own user sees it."""
    return OwnMembership(
        member=member_of(document),
        user_revision=document[OWN_REVISION],
        mute=mute_of(document),
    )


def mute_of(document: Document) -> Mute:
    """Return how a stored membership is muted."""
    level = MuteLevel(document.get("mute_level", MuteLevel.ALL))
    return Mute(level, document.get("muted_until"))


def mute_state(mute: Mute) -> Document:
    """Return a mute as it is stored."""
    return {"mute_level": mute.level.value, "muted_until": mute.until}


class OwnTexts:
    """Seals and opens drafts and notes under the data keys of conversations."""

    def __init__(
        self, database: AsyncDatabase[dict[str, Any]], vault: ConversationVault
    ) -> None:
        self._keys = StoredKeys(database, vault)
        self._vault = vault

    async def learn(self, documents: Sequence[Document]) -> None:
        """Have the keys at hand that some documents need; see `StoredKeys.load`."""
        await self._keys.load(documents)

    def draft_document(self, draft: SavedDraft) -> Document:
        """Return a draft as it is stored."""
        document: Document = {
            "user_id": draft.user_id,
            "conversation_id": draft.conversation_id,
            "thread_seq": draft.thread_seq,
            "saved_at": draft.saved_at,
            "is_cleared": draft.is_cleared,
            OWN_REVISION: draft.user_revision,
        }
        if draft.text is not None:
            place = _draft_place(document)
            document["body"] = self._vault.seal_text(_DRAFT, place, draft.text)
        return document

    def draft_of(self, document: Document) -> SavedDraft:
        """Open a stored draft; its conversation's keys must be known."""
        return SavedDraft(
            user_id=UserId(document["user_id"]),
            conversation_id=ConversationId(document["conversation_id"]),
            thread_seq=document["thread_seq"],
            text=self._opened(document, self.open_draft),
            saved_at=document["saved_at"],
            is_cleared=document["is_cleared"],
            user_revision=document[OWN_REVISION],
        )

    def bookmark_document(self, bookmark: Bookmark) -> Document:
        """Return a bookmark as it is stored."""
        document: Document = {
            "user_id": bookmark.user_id,
            "conversation_id": bookmark.conversation_id,
            "message_id": bookmark.message_id,
            "seq": bookmark.seq,
            "added_at": bookmark.added_at,
            "is_removed": bookmark.is_removed,
            OWN_REVISION: bookmark.user_revision,
        }
        if bookmark.note is not None:
            place = _note_place(document)
            document["body"] = self._vault.seal_text(_NOTE, place, bookmark.note)
        return document

    def bookmark_of(self, document: Document) -> Bookmark:
        """Open a stored bookmark; its conversation's keys must be known."""
        return Bookmark(
            user_id=UserId(document["user_id"]),
            conversation_id=ConversationId(document["conversation_id"]),
            message_id=MessageId(document["message_id"]),
            seq=document["seq"],
            note=self._opened(document, self.open_note),
            added_at=document["added_at"],
            is_removed=document["is_removed"],
            user_revision=document[OWN_REVISION],
        )

    def open_draft(self, document: Document) -> str:
        """Open the text of a stored draft that has one.

        Raises:
            KeyNotLoadedError: The keys are not here.
            DecryptError: It was altered, or belongs elsewhere.
        """
        place = _draft_place(document)
        return self._vault.open_text(_DRAFT, place, document["body"])

    def open_note(self, document: Document) -> str:
        """Open the note of a stored bookmark that has one; see `open_draft`."""
        place = _note_place(document)
        return self._vault.open_text(_NOTE, place, document["body"])

    def _opened(
        self, document: Document, open_one: Callable[[Document], str]
    ) -> str | None:
        """Open a text; one that was altered or shredded is absent, and logged."""
        if document.get("body") is None:
            return None
        try:
            return open_one(document)
        except (DecryptError, AppError):
            _UNREADABLE.inc()
            _log.warning("own_text_unreadable", user_id=document["user_id"])
            return None


def _draft_place(document: Document) -> tuple[str, ...]:
    thread = str(document["thread_seq"])
    return (document["conversation_id"], document["user_id"], thread)


def _note_place(document: Document) -> tuple[str, ...]:
    names = ("conversation_id", "user_id", "message_id")
    return tuple(document[name] for name in names)
