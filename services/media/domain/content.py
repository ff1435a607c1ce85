"""What the bytes of a file say it is, whatever its name claims."""

import codecs
import hashlib
import re
from dataclasses import dataclass

import filetype

_HEAD_BYTES = 8 * 1024
_TAIL_BYTES = 64 * 1024 + 22
"""Where a ZIP's end record may stand: 22 bytes and a comment of up to 64 KiB."""

_REFUSED_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKUP = re.compile(
    rb"\s*(?:<(?:!doctype|!--|\?xml|html|head|body|script|svg|iframe|style|"
    rb"table|title|div|img|a|p|h1|br|b)[\s>/!?-]|%pdf-|%!ps)",
    re.IGNORECASE,
)
_ZIP_END = b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file's content is.

    Attributes:
        size_bytes: Its length.
        sha256: Lower-case hexadecimal.
        sniffed: Content type by signature; None where there is none.
        is_text: UTF-8 throughout, without control characters and signature.
        is_markup: A lenient reader could take it for HTML, XML, PDF or PostScript.
        has_archive_tail: It ends like a ZIP archive.
    """

    size_bytes: int
    sha256: str
    sniffed: str | None
    is_text: bool
    is_markup: bool
    has_archive_tail: bool


class ContentInspector:
    """Reads a file once, in pieces, in constant memory."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._size = 0
        self._head = bytearray()
        self._tail = b""
        self._is_text = True

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the file."""
        self._hash.update(piece)
        self._size += len(piece)
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        self._tail = (self._tail + piece)[-_TAIL_BYTES:]
        if self._is_text:
            self._is_text = self._reads_as_text(piece, is_last=False)

    def finish(self) -> Inspection:
        """Return the verdict; call it once, after the last piece."""
        head = bytes(self._head)
        sniffed = _sniff(head)
        is_text = self._is_text and self._reads_as_text(b"", is_last=True)
        return Inspection(
            size_bytes=self._size,
            sha256=self._hash.hexdigest(),
            sniffed=sniffed,
            is_text=is_text and sniffed is None,
            is_markup=_MARKUP.match(head.removeprefix(codecs.BOM_UTF8)) is not None,
            has_archive_tail=_ZIP_END in self._tail,
        )

    def _reads_as_text(self, piece: bytes, *, is_last: bool) -> bool:
        try:
            text = self._decoder.decode(piece, final=is_last)
        except UnicodeDecodeError:
            return False
        return _REFUSED_CONTROLS.search(text) is None


def _sniff(head: bytes) -> str | None:
    if not head:
        return None
    kind = filetype.guess(head)
    return None if kind is None else str(kind.mime)
