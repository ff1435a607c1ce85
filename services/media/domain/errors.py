"""What can be wrong with a document, in the domain's words; codes are the API's."""

from libs.kernel import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)


class FileNameError(InvalidError):
    """The display name holds what no file name may hold."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "file_name_invalid", "The file name is not allowed.", reason=reason
        )


class ContentTypeMismatchError(InvalidError):
    """The declared type is not one that files with this extension have."""

    def __init__(self, expected: str) -> None:
        super().__init__(
            "content_type_mismatch",
            "The declared content type does not fit the file's extension.",
            expected=expected,
        )


class DocumentTooLargeError(TooLargeError):
    """The file is larger than this installation takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            "document_too_large", "The file is too large.", limit_bytes=limit_bytes
        )


class ScopeAmbiguousError(InvalidError):
    """A conversation and a project were both named; a document has one home."""

    def __init__(self) -> None:
        super().__init__(
            "scope_ambiguous", "Give a conversation or a project, not both."
        )


class ScopeNotFoundError(NotFoundError):
    """There is no such conversation or project, or none that the caller is in."""

    def __init__(self) -> None:
        super().__init__("scope_not_found", "There is no such conversation or project.")


class ScopeArchivedError(ConflictError):
    """The conversation or project is read-only."""

    def __init__(self) -> None:
        super().__init__("scope_archived", "The conversation or project is archived.")


class DocumentNotFoundError(NotFoundError):
    """There is no such document, or none that the caller may see."""

    def __init__(self) -> None:
        super().__init__("document_not_found", "There is no such document.")


class DocumentForbiddenError(ForbiddenError):
    """The caller sees the document but does not own it."""

    def __init__(self) -> None:
        super().__init__("document_not_owned", "Only its owner may do this.")


class DocumentNotReadyError(ConflictError):
    """The document has no bytes to read now; ``status`` tells why."""

    def __init__(self, status: str) -> None:
        super().__init__(
            "document_not_ready", "The document cannot be read now.", status=status
        )


class DocumentStateError(ConflictError):
    """The document's status does not allow this step."""

    def __init__(self, status: str) -> None:
        super().__init__(
            "document_state_conflict",
            "The document's status does not allow this.",
            status=status,
        )


class UploadIncompleteError(ConflictError):
    """The bytes have not arrived in the store."""

    def __init__(self) -> None:
        super().__init__("upload_incomplete", "The file has not been uploaded yet.")


class UploadSizeMismatchError(InvalidError):
    """What arrived has another size than was announced."""

    def __init__(self) -> None:
        super().__init__(
            "upload_size_mismatch", "The file has another size than announced."
        )


class FileRejectedError(InvalidError):
    """A check of the content failed; ``code`` is the reason that is kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "The file's content was refused.")
