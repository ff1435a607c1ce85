"""Extension, declared type and content must agree."""

import io
import zipfile

import pytest

from services.media.domain import (
    OCTET_STREAM,
    ContentInspector,
    ContentTypeMismatchError,
    FileRejectedError,
    expected_type,
    verified_type,
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(40)
GIF = b"GIF89a" + bytes(40)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(40)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(40)
MP3 = b"ID3\x04" + bytes(200)
OGG = b"OggS" + bytes(40)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)
FLAC = b"fLaC" + bytes(40)
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(40)
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(100)
EXE = b"MZ" + bytes(100)
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
TEXT = "Grüße aus Köln\n".encode()


def archive():
    """Return a small ZIP archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("a.txt", "a")
    return target.getvalue()


def inspect(content, piece=7):
    """Inspect content that comes in small pieces."""
    inspector = ContentInspector()
    for start in range(0, len(content), piece):
        inspector.feed(content[start : start + piece])
    return inspector.finish()


def served(name, content, declared=OCTET_STREAM):
    """Return what a file is served as, or the reason why it is refused."""
    try:
        return verified_type(expected_type(name, declared), inspect(content))
    except FileRejectedError as refusal:
        return refusal.code


CORPUS = [
    ("a.png", PNG, "image/png"),
    ("A.PNG", PNG, "image/png"),
    ("a.jpg", JPEG, "image/jpeg"),
    ("a.jpeg", JPEG, "image/jpeg"),
    ("a.gif", GIF, "image/gif"),
    ("a.webp", WEBP, "image/webp"),
    ("a.pdf", PDF, "application/pdf"),
    ("a.mp3", MP3, "audio/mpeg"),
    ("a.ogg", OGG, "audio/ogg"),
    ("a.wav", WAV, "audio/wav"),
    ("a.flac", FLAC, "audio/flac"),
    ("a.mp4", MP4, "video/mp4"),
    ("a.webm", WEBM, "video/webm"),
    ("a.txt", TEXT, "text/plain; charset=utf-8"),
    ("a.md", b"# Title\n", "text/plain; charset=utf-8"),
    ("a.csv", b"a,b\r\n1,2\r\n", "text/plain; charset=utf-8"),
    ("a.zip", archive(), OCTET_STREAM),
    ("a.docx", archive(), OCTET_STREAM),
    ("a.svg", SVG, OCTET_STREAM),
    ("a.html", HTML, OCTET_STREAM),
    ("a.exe", EXE, OCTET_STREAM),
    ("noextension", PNG, OCTET_STREAM),
    ("a.pdf", PDF + archive(), OCTET_STREAM),
    ("a.mp3", MP3 + archive(), OCTET_STREAM),
    ("a.txt", HTML, OCTET_STREAM),
    ("a.txt", b"\xef\xbb\xbf  " + SVG, OCTET_STREAM),
    ("a.txt", b"\n<?xml version='1.0'?>", OCTET_STREAM),
    ("a.png", JPEG, "type_mismatch"),
    ("a.png", HTML, "type_mismatch"),
    ("a.png", SVG, "type_mismatch"),
    ("a.png", EXE, "type_mismatch"),
    ("a.gif", b"GIX89a" + TEXT, "type_mismatch"),
    ("a.jpg", archive(), "type_mismatch"),
    ("a.pdf", HTML, "type_mismatch"),
    ("a.pdf", TEXT + PDF, "type_mismatch"),
    ("a.mp4", WEBM, "type_mismatch"),
    ("a.txt", PNG, "type_mismatch"),
    ("a.txt", b"nul\x00byte", "type_mismatch"),
    ("a.txt", b"\x1b[2Jclear", "type_mismatch"),
    ("a.txt", b"latin \xe4", "type_mismatch"),
    ("a.txt", b"cut \xc3", "type_mismatch"),
    ("a.txt", b"%PDF-1.7 as text", "type_mismatch"),
    ("a.txt", b"", "file_empty"),
    ("a.bin", b"", "file_empty"),
]


@pytest.mark.parametrize(("name", "content", "outcome"), CORPUS)
def test_corpus_is_served_as_what_it_is(name, content, outcome):
    """No file is ever served as a type it is not, polyglots as bytes (UP-1)."""
    found = served(name, content)
    assert getattr(found, "content_type", found) == outcome


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("a.png", "image/jpeg"),
        ("a.png", "text/html"),
        ("a.txt", "text/html"),
        ("a.pdf", "image/png"),
        ("a.exe", "image/png"),
        ("a.svg.png", "image/svg+xml"),
    ],
)
def test_declared_type_must_fit_the_extension(name, declared):
    """A client that calls a file something else is told so at once."""
    with pytest.raises(ContentTypeMismatchError):
        expected_type(name, declared)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("a.jpg", "image/jpg"),
        ("a.jpg", "IMAGE/JPEG"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.md", "text/markdown"),
        ("a.zip", "application/x-zip-compressed"),
        ("a.docx", "application/vnd.openxmlformats-officedocument"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "application/octet-stream"),
    ],
)
def test_common_words_for_a_type_are_taken(name, declared):
    """Browsers have several words for one type."""
    assert expected_type(name, declared)


def test_inspection_does_not_depend_on_the_pieces():
    """Where a read ends decides nothing."""
    content = TEXT * 1000 + archive()
    assert inspect(content, 1000) == inspect(content, 7) == inspect(content, 10**6)
