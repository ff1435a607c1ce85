"""Documents, file names, file types and access: rules without I/O."""

from services.media.domain.access import (
    Membership,
    MembershipChange,
    Scope,
    ScopeChange,
    ScopeKind,
    conversation_scope,
    private_scope,
    project_scope,
)
from services.media.domain.content import ContentInspector, Inspection
from services.media.domain.document import (
    Document,
    DocumentStatus,
    Rendition,
    new_storage_key,
)
from services.media.domain.errors import (
    ContentTypeMismatchError,
    DocumentForbiddenError,
    DocumentNotFoundError,
    DocumentNotReadyError,
    DocumentStateError,
    DocumentTooLargeError,
    FileNameError,
    FileRejectedError,
    ScopeAmbiguousError,
    ScopeArchivedError,
    ScopeNotFoundError,
    UploadIncompleteError,
    UploadSizeMismatchError,
)
from services.media.domain.names import check_file_name, content_disposition
from services.media.domain.types import (
    OCTET_STREAM,
    FileType,
    Treatment,
    expected_type,
    verified_type,
)

__all__ = [
    "OCTET_STREAM",
    "ContentInspector",
    "ContentTypeMismatchError",
    "Document",
    "DocumentForbiddenError",
    "DocumentNotFoundError",
    "DocumentNotReadyError",
    "DocumentStateError",
    "DocumentStatus",
    "DocumentTooLargeError",
    "FileNameError",
    "FileRejectedError",
    "FileType",
    "Inspection",
    "Membership",
    "MembershipChange",
    "Rendition",
    "Scope",
    "ScopeAmbiguousError",
    "ScopeArchivedError",
    "ScopeChange",
    "ScopeKind",
    "ScopeNotFoundError",
    "Treatment",
    "UploadIncompleteError",
    "UploadSizeMismatchError",
    "check_file_name",
    "content_disposition",
    "conversation_scope",
    "expected_type",
    "new_storage_key",
    "private_scope",
    "project_scope",
    "verified_type",
]
