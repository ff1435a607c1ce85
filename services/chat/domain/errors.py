"""What can go wrong in a conversation, each with the code the API shows."""

from collections.abc import Sequence

from libs.kernel import (
    AppError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)


class ConversationNotFoundError(NotFoundError):
    """There is no such conversation, or the caller is not a member of it."""

    def __init__(self) -> None:
        super().__init__("conversation_not_found", "There is no such conversation.")


class MessageNotFoundError(NotFoundError):
    """The conversation holds no such message."""

    def __init__(self) -> None:
        super().__init__("message_not_found", "There is no such message.")


class UserNotFoundError(NotFoundError):
    """Nobody with this id can take part in a conversation."""

    def __init__(self) -> None:
        super().__init__("user_not_found", "There is no such active user.")


class MemberNotFoundError(NotFoundError):
    """The user is not a member of the conversation."""

    def __init__(self) -> None:
        super().__init__("member_not_found", "The user is not a member.")


class ProjectNotFoundError(NotFoundError):
    """There is no such project, or the caller does not take part in it."""

    def __init__(self) -> None:
        super().__init__("project_not_found", "There is no such project.")


class ProjectIsArchivedError(ConflictError):
    """An archived or deleted project gets no channels and brings none back."""

    def __init__(self) -> None:
        super().__init__("project_archived", "The project is archived.")


class NotPermittedError(ForbiddenError):
    """The member's role does not allow the action."""

    def __init__(self, action: str) -> None:
        super().__init__(
            "not_permitted", "Your role does not allow this here.", action=action
        )


class AnnouncementOnlyError(ForbiddenError):
    """Only owners and admins send here, and edit what they sent."""

    def __init__(self) -> None:
        super().__init__("announcement_only", "Only owners and admins send here.")


class SlowModeError(RateLimitedError):
    """The sender's last message, or last edit, is not old enough."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "slow_mode",
            "This conversation is in slow mode.",
            retry_after_seconds=retry_after_seconds,
        )


class InviteNotFoundError(NotFoundError):
    """Nobody can come in by this link: foreign, expired, used up or revoked."""

    def __init__(self) -> None:
        super().__init__("invite_not_found", "There is no such invite.")


class UserIsBannedError(ConflictError):
    """The user is kept out until the ban is lifted."""

    def __init__(self) -> None:
        super().__init__("user_banned", "The user is banned here.")


class BanNotFoundError(NotFoundError):
    """The user is not banned here."""

    def __init__(self) -> None:
        super().__init__("ban_not_found", "The user is not banned.")


class ConversationIsArchivedError(ConflictError):
    """The conversation is read-only."""

    def __init__(self) -> None:
        super().__init__("conversation_archived", "The conversation is archived.")


class RevisionUnknownError(ConflictError):
    """The client is at a revision that the conversation never had.

    After a restore from a backup, for instance: the client begins again at 0.
    """

    def __init__(self, revision: int) -> None:
        super().__init__(
            "revision_unknown",
            "The conversation is not there yet: ask again from 0.",
            revision=revision,
        )


class OwnRevisionUnknownError(ConflictError):
    """The client is at a revision that the user's own stream never had."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            "revision_unknown",
            "Your own stream is not there yet: ask again from 0.",
            revision=revision,
        )


class ReceiptsAreOffError(ConflictError):
    """The conversation does not show who has read what."""

    def __init__(self) -> None:
        super().__init__("receipts_off", "Read receipts are off here.")


class BookmarkNotFoundError(NotFoundError):
    """The user has no such bookmark."""

    def __init__(self) -> None:
        super().__init__("bookmark_not_found", "There is no such bookmark.")


class MembershipIsManagedError(ConflictError):
    """A project decides who is in this conversation."""

    def __init__(self) -> None:
        super().__init__(
            "membership_managed", "The project's collaborators are its members."
        )


class LastOwnerError(ConflictError):
    """A conversation with members keeps at least one owner."""

    def __init__(self) -> None:
        super().__init__("last_owner", "Another member must become owner first.")


class MessageIsDeletedError(ConflictError):
    """A tombstone cannot be changed."""

    def __init__(self) -> None:
        super().__init__("message_deleted", "The message was deleted.")


class AttachmentUnknownError(ConflictError):
    """A document cannot be attached: not known yet, gone, or not for the sender.

    What was uploaded a moment ago is known in a moment, so it may be tried again.
    """

    def __init__(self, document_ids: Sequence[str]) -> None:
        super().__init__(
            "attachment_unknown",
            "There is no such document (yet).",
            document_ids=list(document_ids),
            retry_after_seconds=1.0,
        )


class DocumentNotAnImageError(InvalidError):
    """A conversation's picture has to be one."""

    def __init__(self, document_id: str) -> None:
        super().__init__(
            "avatar_not_image", "This document is no image.", document_id=document_id
        )


class ScheduledNotFoundError(NotFoundError):
    """The caller has scheduled no such message."""

    def __init__(self) -> None:
        super().__init__("scheduled_not_found", "There is no such scheduled message.")


class ScheduledIsSendingError(ConflictError):
    """A scheduled message is being sent: it can be changed no more."""

    def __init__(self) -> None:
        super().__init__("scheduled_sending", "The message is being sent.")


class EditWindowClosedError(ForbiddenError):
    """The message is too old to be edited."""

    def __init__(self, window_seconds: int) -> None:
        super().__init__(
            "edit_window_closed",
            "The message is too old to be edited.",
            limit_seconds=window_seconds,
        )


class TooManyPinsError(ConflictError):
    """The conversation has as many pinned messages as it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            "too_many_pins",
            f"A conversation has at most {limit} pinned messages.",
            limit=limit,
        )


class DraftInvalidError(InvalidError):
    """A message or conversation as given can never be stored."""


class TextTooLongError(TooLargeError):
    """A body is longer than the limit."""

    def __init__(self, limit: int, unit: str) -> None:
        super().__init__(
            "text_too_long", f"A message has at most {limit} {unit}.", limit=limit
        )


class ConversationBusyError(UnavailableError):
    """Other writers kept winning; nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "conversation_busy",
            "The conversation is busy; try again.",
            retry_after_seconds=0.5,
        )


class WriterBusyError(UnavailableError):
    """More messages wait than the writer takes; nothing was stored."""

    def __init__(self) -> None:
        super().__init__(
            "writer_busy", "Too many messages wait.", retry_after_seconds=1.0
        )


class SendUnconfirmedError(UnavailableError):
    """Whether the message is stored is unknown; repeat it with the same id."""

    def __init__(self) -> None:
        super().__init__(
            "send_unconfirmed",
            "It is unknown whether the message is stored; send it again.",
            retry_after_seconds=1.0,
            is_unknown=True,
        )


class StaleConversationError(AppError):
    """A compare-and-set met a newer conversation; inside the service only."""

    def __init__(self) -> None:
        super().__init__("conversation_stale", "The conversation has moved on.")


class MarkerUnmovedError(AppError):
    """A read marker is there already; inside the service only."""

    def __init__(self) -> None:
        super().__init__("marker_unmoved", "The marker is there already.")


class DuplicateMessageError(AppError):
    """A batch holds a message that is stored already; inside the service only."""

    def __init__(self) -> None:
        super().__init__("message_duplicate", "A message is stored already.")
