"""File names: what is let in, and how one leaves in a header."""

import pytest

from services.media.domain import FileNameError, check_file_name, content_disposition
from services.media.domain.names import extension_of

HOSTILE = [
    "",
    ".",
    "..",
    "...",
    " ",
    " a.png",
    "a.png ",
    "../etc/passwd",
    "a/b.png",
    "a\\b.png",
    "a\u2215b.png",
    "a\uff0fb.png",
    "a\r\nSet-Cookie: x=1.png",
    "a\nb",
    "a\tb",
    "nul\x00.png",
    "\x7f.png",
    "\x1b[31mred.png",
    "c1\x85.png",
    "photo\u202egnp.exe",
    "iso\u2066late.png",
    "mark\u200f.png",
    "zero\u200bwidth.png",
    "bom\ufeff.png",
    "line\u2028.png",
    "para\u2029.png",
    "tag\U000e0041.png",
    "lone\ud800.png",
    "private\ue000.png",
    "none\uffff.png",
    "x" * 252 + ".png",
    "é" * 126 + ".png",
    "\U0001f4a9" * 64,
]
GOOD = [
    "a.png",
    "Ferien in Österreich (2).jpg",
    "日本語.pdf",
    "family\U0001f468\u200d\U0001f469\u200d\U0001f467.gif",
    ".gitignore",
    "no extension",
    'quote".txt',
    "semi;colon=1.txt",
    "100%.txt",
    "x" * 251 + ".png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name):
    """A name that could act as a path, a header or a disguise never gets in (UP-5)."""
    with pytest.raises(FileNameError) as refusal:
        check_file_name(name)
    assert refusal.value.code == "file_name_invalid"
    assert set(refusal.value.details) == {"reason"}


@pytest.mark.parametrize("name", GOOD)
def test_good_names_are_kept(name):
    """Any script, emoji and punctuation may stand in a name."""
    assert check_file_name(name) == name


def test_names_are_normalised():
    """One name has one form, whichever system it was typed on."""
    assert check_file_name("u\u0308ber.txt") == "über.txt"


@pytest.mark.parametrize("name", GOOD)
def test_disposition_is_one_ascii_header_value(name):
    """HT-5: the header is ASCII without a line end, and a quote ends nothing early."""
    value = content_disposition(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert value.startswith('attachment; filename="')


def test_disposition_carries_the_exact_name():
    """The extended parameter holds every character, percent-encoded."""
    value = content_disposition("ä b.png", is_inline=True)
    assert value == "inline; filename=\"_ b.png\"; filename*=UTF-8''%C3%A4%20b.png"


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.PNG", "png"), ("a.tar.gz", "gz"), (".png", ""), ("a", ""), ("a.", "")],
)
def test_extension(name, extension):
    """The extension is what follows the last dot, unless nothing stands before it."""
    assert extension_of(name) == extension
