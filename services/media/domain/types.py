"""Which file types are known, and when extension, word and content agree."""

from dataclasses import dataclass
from enum import Enum

from services.media.domain.content import Inspection
from services.media.domain.errors import ContentTypeMismatchError, FileRejectedError
from services.media.domain.names import extension_of

OCTET_STREAM = "application/octet-stream"
PLAIN_TEXT = "text/plain; charset=utf-8"


class Treatment(Enum):
    """How the content of a type is checked."""

    IMAGE = "image"
    """Decoded and re-encoded in a child process; what is kept is new bytes."""
    SIGNATURE = "signature"
    """Its first bytes must be of the type."""
    TEXT = "text"
    """UTF-8 without control characters."""
    OPAQUE = "opaque"
    """Not looked into: served as bytes without a type."""


@dataclass(frozen=True, slots=True)
class FileType:
    """A known type.

    Attributes:
        content_type: What it is served as.
        treatment: See `Treatment`.
        declared: What clients call it.
        sniffed: What the signature check calls it.
    """

    content_type: str
    treatment: Treatment
    declared: frozenset[str] = frozenset()
    sniffed: frozenset[str] = frozenset()


OPAQUE = FileType(OCTET_STREAM, Treatment.OPAQUE)


def _type(
    content_type: str, treatment: Treatment, *aliases: str, also_sniffed: str = ""
) -> FileType:
    declared = frozenset((content_type.partition(";")[0], *aliases))
    return FileType(
        content_type, treatment, declared, declared | frozenset(also_sniffed.split())
    )


_JPEG = _type("image/jpeg", Treatment.IMAGE, "image/jpg", "image/pjpeg")
_TEXT = _type(PLAIN_TEXT, Treatment.TEXT)
_OGG = _type("audio/ogg", Treatment.SIGNATURE, "audio/opus", "application/ogg")
_M4A = _type(
    "audio/mp4",
    Treatment.SIGNATURE,
    "audio/x-m4a",
    "audio/m4a",
    also_sniffed="video/mp4",
)

_BY_EXTENSION = {
    "png": _type("image/png", Treatment.IMAGE, also_sniffed="image/apng"),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": _type("image/gif", Treatment.IMAGE),
    "webp": _type("image/webp", Treatment.IMAGE),
    "pdf": _type("application/pdf", Treatment.SIGNATURE),
    "txt": _TEXT,
    "log": _TEXT,
    "md": _type(PLAIN_TEXT, Treatment.TEXT, "text/markdown", "text/x-markdown"),
    "csv": _type(PLAIN_TEXT, Treatment.TEXT, "text/csv", "application/csv"),
    "mp3": _type("audio/mpeg", Treatment.SIGNATURE, "audio/mp3"),
    "m4a": _M4A,
    "ogg": _OGG,
    "opus": _OGG,
    "wav": _type("audio/wav", Treatment.SIGNATURE, "audio/x-wav", "audio/wave"),
    "flac": _type("audio/flac", Treatment.SIGNATURE, "audio/x-flac"),
    "mp4": _type(
        "video/mp4", Treatment.SIGNATURE, "video/x-m4v", also_sniffed="audio/mp4"
    ),
    "m4v": _type("video/mp4", Treatment.SIGNATURE, "video/x-m4v"),
    "mov": _type("video/quicktime", Treatment.SIGNATURE),
    "webm": _type("video/webm", Treatment.SIGNATURE, "audio/webm"),
}
"""Every other extension (zip, office, unknown) is `OPAQUE`."""


def expected_type(file_name: str, declared: str) -> FileType:
    """Return what a file must turn out to be, by its extension.

    Args:
        file_name: A checked name.
        declared: The content type that the client gave; parameters are ignored.

    Raises:
        ContentTypeMismatchError: The extension has a known type and another one was
            declared, or an image was declared under a foreign extension.
    """
    file_type = _BY_EXTENSION.get(extension_of(file_name), OPAQUE)
    word = declared.partition(";")[0].strip().lower()
    if file_type is OPAQUE:
        if word.startswith("image/") and word in _IMAGE_WORDS:
            raise ContentTypeMismatchError(OCTET_STREAM)
        return OPAQUE
    if word != OCTET_STREAM and word not in file_type.declared:
        raise ContentTypeMismatchError(file_type.content_type)
    return file_type


def verified_type(expected: FileType, found: Inspection) -> FileType:
    """Return the type a file is served as, from what its content is.

    Returns:
        The expected type, or `OPAQUE` for content that is also something else (an
        archive behind it, markup in a text): it goes out as bytes without a type.

    Raises:
        FileRejectedError: ``file_empty``, or ``type_mismatch`` where the content is
            not of the expected type.
    """
    if found.size_bytes == 0:
        raise FileRejectedError("file_empty")
    if expected.treatment is Treatment.OPAQUE:
        return OPAQUE
    if expected.treatment is Treatment.TEXT:
        if not found.is_text:
            raise FileRejectedError("type_mismatch")
        return OPAQUE if found.is_markup else expected
    if found.sniffed not in expected.sniffed:
        raise FileRejectedError("type_mismatch")
    if expected.treatment is Treatment.SIGNATURE and found.has_archive_tail:
        return OPAQUE
    return expected


_IMAGE_WORDS = frozenset(
    word
    for file_type in _BY_EXTENSION.values()
    if file_type.treatment is Treatment.IMAGE
    for word in file_type.declared
)
