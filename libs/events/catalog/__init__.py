"""Every event of Parley, one module an entity.

The catalog is the contract between services: a producer and a consumer share these
classes and nothing else. `docs/events.md` and the AsyncAPI document are generated
from here.
"""

from libs.events.catalog.account import (
    AccountEmailChanged,
    AccountEmailChangeRequested,
    AccountEmailStopOffered,
    AccountIdentityChanged,
    AccountInvited,
    AccountMfaChanged,
    AccountPasswordChanged,
    AccountPasswordVoided,
    AccountResetRequested,
    AccountVerificationRequested,
)
from libs.events.catalog.conversation import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationMemberAdded,
    ConversationMemberRemoved,
    ConversationRead,
    ConversationRoleChanged,
    ConversationTrimmed,
    ConversationUpdated,
)
from libs.events.catalog.erasure import ErasureCompleted
from libs.events.catalog.media import (
    MediaDeleted,
    MediaProcessed,
    MediaRejected,
    MediaShared,
    MediaShareRevoked,
    MediaUploaded,
    MediaVersionAdded,
)
from libs.events.catalog.message import (
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessageReacted,
    MessageScheduleFailed,
    MessageSent,
    MessageUnpinned,
)
from libs.events.catalog.notification import NotificationFailed, NotificationSent
from libs.events.catalog.personal import (
    BookmarkAdded,
    BookmarkRemoved,
    ConversationMuted,
    DraftCleared,
    DraftSaved,
    ThreadFollowed,
    ThreadRead,
    ThreadUnfollowed,
)
from libs.events.catalog.presence import PresenceChanged, StatusChanged
from libs.events.catalog.project import (
    ProjectArchived,
    ProjectCollaboratorAdded,
    ProjectCollaboratorRemoved,
    ProjectCreated,
    ProjectDeleted,
    ProjectRoleChanged,
    ProjectUpdated,
)
from libs.events.catalog.session import SessionReused, SessionRevoked, SessionStarted
from libs.events.catalog.user import (
    UserCreated,
    UserDeleted,
    UserSuspended,
    UserUpdated,
    UserVerified,
)

__all__ = [
    "AccountEmailChangeRequested",
    "AccountEmailChanged",
    "AccountEmailStopOffered",
    "AccountIdentityChanged",
    "AccountInvited",
    "AccountMfaChanged",
    "AccountPasswordChanged",
    "AccountPasswordVoided",
    "AccountResetRequested",
    "AccountVerificationRequested",
    "BookmarkAdded",
    "BookmarkRemoved",
    "ConversationArchived",
    "ConversationCreated",
    "ConversationDeleted",
    "ConversationMemberAdded",
    "ConversationMemberRemoved",
    "ConversationMuted",
    "ConversationRead",
    "ConversationRoleChanged",
    "ConversationTrimmed",
    "ConversationUpdated",
    "DraftCleared",
    "DraftSaved",
    "ErasureCompleted",
    "MediaDeleted",
    "MediaProcessed",
    "MediaRejected",
    "MediaShareRevoked",
    "MediaShared",
    "MediaUploaded",
    "MediaVersionAdded",
    "MessageDeleted",
    "MessageEdited",
    "MessagePinned",
    "MessageReacted",
    "MessageScheduleFailed",
    "MessageSent",
    "MessageUnpinned",
    "NotificationFailed",
    "NotificationSent",
    "PresenceChanged",
    "ProjectArchived",
    "ProjectCollaboratorAdded",
    "ProjectCollaboratorRemoved",
    "ProjectCreated",
    "ProjectDeleted",
    "ProjectRoleChanged",
    "ProjectUpdated",
    "SessionReused",
    "SessionRevoked",
    "SessionStarted",
    "StatusChanged",
    "ThreadFollowed",
    "ThreadRead",
    "ThreadUnfollowed",
    "UserCreated",
    "UserDeleted",
    "UserSuspended",
    "UserUpdated",
    "UserVerified",
]
