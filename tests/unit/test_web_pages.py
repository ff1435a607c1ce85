"""The pages of `web/`: nothing inline, nothing from elsewhere (HD-1)."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
PAGES = sorted(WEB.glob("*.html"))
SCRIPTS = sorted(WEB.glob("*.js"))
_LOADED = {"script": "src", "link": "href", "img": "src"}


class _Page(HTMLParser):
    """Collects what a page loads, what is inline, and how its forms are safe."""

    def __init__(self):
        super().__init__()
        self.loaded = []
        self.inline = []
        self.forms = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in _LOADED:
            self.loaded.append(found.get(_LOADED[tag]))
        if tag == "form":
            self.forms.append("hidden" in found or found.get("method") == "post")
        self.inline += [name for name in found if name.startswith("on")]
        self.inline += [tag] if tag == "style" or "style" in found else []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_hd_1_a_page_has_nothing_inline_and_loads_its_own_files(path):
    """HD-1: else the edge's policy would break it."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.inline == []
    assert page.loaded
    for address in page.loaded:
        assert address, "an inline script"
        assert (WEB / address.removeprefix("/")).is_file(), address


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_rt_5_a_form_puts_nothing_into_an_address(path):
    """RT-5: sent before its script is there, it would put a password into the URL."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert all(page.forms)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_hd_1_a_script_makes_no_markup_of_texts(path):
    """HD-1: what a server or a person says is put in as text."""
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", source)
    for address in re.findall(r'from "(/[^"]+)"', source):
        assert (WEB / address.removeprefix("/")).is_file(), address
