"""Conversations and members of ``parley_chat`` to the domain and back."""

from collections.abc import Sequence
from typing import Any

import structlog
from prometheus_client import Counter

from libs.crypto import DecryptError
from libs.kernel import ConversationId, ProjectId, UserId
from services.chat.domain.amendment import RULES
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    HistoryVisibility,
    Member,
    Role,
)
from services.chat.repository.vault import ConversationVault

Document = dict[str, Any]  # what BSON holds

NOT_DELETED: Document = {"is_deleted": {"$ne": True}}
"""A deleted conversation is a tombstone that looks as if it were missing."""
OWN_REVISION = "user_revision"
"""Field of whatever is a user's own: the revision of its last change."""

_log = structlog.get_logger()
_UNREADABLE_TITLES = Counter(
    "chat_unreadable_titles_total", "Titles or data keys that did not open"
)


def member_key(conversation_id: str, user_id: str) -> str:
    """Return the ``_id`` of a membership."""
    return f"{conversation_id}:{user_id}"


async def conversation_of(document: Document, vault: ConversationVault) -> Conversation:
    """Open a stored conversation; its keys are learned on the way.

    A title that does not open is absent: it hides neither the conversation nor the
    others of a list.

    Raises:
        KeyUnknownError: A key-encryption key is not there.
        UnavailableError: One is out of reach.
    """
    await vault.learn(document)
    return _conversation(document, vault)


async def conversations_of(
    documents: Sequence[Document], vault: ConversationVault
) -> list[Conversation]:
    """Open stored conversations in their order; see `conversation_of`."""
    await vault.learn(*documents)
    return [_conversation(document, vault) for document in documents]


def _conversation(document: Document, vault: ConversationVault) -> Conversation:
    conversation_id = ConversationId(document["_id"])
    return Conversation(
        conversation_id=conversation_id,
        kind=ConversationKind(document["kind"]),
        title=_opened(document, "title", vault),
        project_id=_project_id(document.get("project_id")),
        created_by=_user_id(document.get("created_by")),
        created_at=document["created_at"],
        last_seq=document["last_seq"],
        last_message_at=document.get("last_message_at"),
        revision=document["revision"],
        members_version=document["members_version"],
        changed_revision=document["changed_revision"],
        is_archived=document["is_archived"],
        is_managed=document["is_managed"],
        is_archived_by_project=document.get("is_archived_by_project", False),
        project_revision=document["project_revision"],
        unique_key=document.get("unique_key"),
        pair=tuple(UserId(user_id) for user_id in document.get("pair", ())),
        first_seq=document.get("first_seq", 1),
        topic=_opened(document, "topic", vault),
        **_rules_of(document),
    )


def _rules_of(document: Document) -> Document:
    """Return what older documents do not have, so that the defaults hold."""
    known: Document = {
        name: document[name]
        for name in (*RULES, "avatar_document_id")
        if name in document
    }
    visibility = known.get("history_visibility")
    if visibility is not None:
        known["history_visibility"] = HistoryVisibility(visibility)
    return known


def _opened(document: Document, name: str, vault: ConversationVault) -> str | None:
    conversation_id = document["_id"]
    try:
        return vault.open_field(name, conversation_id, document.get(name))
    except DecryptError:
        _UNREADABLE_TITLES.inc()
        _log.error("title_unreadable", conversation_id=conversation_id, field=name)
        return None


def profile_state(
    conversation: Conversation,
    vault: ConversationVault,
    before: Conversation | None = None,
) -> Document:
    """Return title and topic as they are stored, or what of them changed.

    One that did not open stays as it is.
    """
    texts = {"title": conversation.title, "topic": conversation.topic}
    return {
        name: vault.seal_field(name, conversation.conversation_id, text)
        for name, text in texts.items()
        if before is None or text != getattr(before, name)
    }


def conversation_state(conversation: Conversation) -> Document:
    """Return the fields of a conversation that may change, but title and topic."""
    return {
        "last_seq": conversation.last_seq,
        "last_message_at": conversation.last_message_at,
        "revision": conversation.revision,
        "members_version": conversation.members_version,
        "changed_revision": conversation.changed_revision,
        "is_archived": conversation.is_archived,
        "is_managed": conversation.is_managed,
        "is_archived_by_project": conversation.is_archived_by_project,
        "project_revision": conversation.project_revision,
        "first_seq": conversation.first_seq,
        "avatar_document_id": conversation.avatar_document_id,
        **{name: getattr(conversation, name) for name in RULES},
    }


async def new_conversation(
    conversation: Conversation, vault: ConversationVault
) -> Document:
    """Return the document of a new conversation, with a data key of its own.

    Raises:
        UnavailableError: The key-encryption key is out of reach.
    """
    keys = await vault.create(conversation.conversation_id, conversation.created_at)
    fixed = {
        "project_id": conversation.project_id,
        "created_by": conversation.created_by,
        "unique_key": conversation.unique_key,
        "pair": list(conversation.pair) or None,
    }
    return {
        "_id": conversation.conversation_id,
        "kind": conversation.kind.value,
        "created_at": conversation.created_at,
        **{name: value for name, value in fixed.items() if value is not None},
        **conversation_state(conversation),
        **profile_state(conversation, vault),
        **keys,
    }


def member_of(document: Document) -> Member:
    """Return a stored membership."""
    return Member(
        conversation_id=ConversationId(document["conversation_id"]),
        user_id=UserId(document["user_id"]),
        role=Role(document["role"]),
        joined_at=document["joined_at"],
        revision=document["revision"],
        read_seq=document["read_seq"],
        is_active=document["is_active"],
        project_revision=document["project_revision"],
        visible_from_seq=document.get("visible_from_seq", 1),
        joined_revision=document.get("joined_revision", 0),
    )


def member_state(member: Member) -> Document:
    """Return a membership's fields but its read marker."""
    return {
        "conversation_id": member.conversation_id,
        "user_id": member.user_id,
        "role": member.role.value,
        "joined_at": member.joined_at,
        "revision": member.revision,
        "is_active": member.is_active,
        "project_revision": member.project_revision,
        "visible_from_seq": member.visible_from_seq,
        "joined_revision": member.joined_revision,
    }


def _project_id(value: str | None) -> ProjectId | None:
    return None if value is None else ProjectId(value)


def _user_id(value: str | None) -> UserId | None:
    return None if value is None else UserId(value)
