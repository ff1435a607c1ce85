"""Check what a tool can check of the documentation.

Relative links lead somewhere; every ``make`` target and every path in backticks that
looks like one of the project's exists; the README stays at two screens; no tracked
file names a left-over marker, a machine's path or a package registry's host.
"""

import re
import subprocess
import sys
from pathlib import Path

README_LINES = 100
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)([^)#\s]+)")
TARGET = re.compile(r"`make ([a-z0-9-]+)")
PROJECT_PATH = re.compile(
    r"`((?:libs|services|deploy|docs|tests|scripts|bench|web)/[A-Za-z0-9_./-]+)`"
)
MARKERS = re.compile(
    r"\b(?:TODO|FIXME|XXX)\b|/root/|/work/|/home/\w+/|"
    r"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian",
)
OWN_RULES = {"scripts/check_docs.py"}  # names what it forbids
LOCK_SUFFIX = ".txt"  # locks are checked apart


def tracked(*patterns: str) -> list[Path]:
    """Return the tracked and the new, not ignored, files that match."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        path for line in listing.stdout.splitlines() if (path := Path(line)).is_file()
    ]


def page_problems(page: Path, targets: set[str]) -> list[str]:
    """Return what a page says that is not so."""
    text = page.read_text(encoding="utf-8")
    problems = [
        f"{page}: link to {link} leads nowhere"
        for link in LINK.findall(text)
        if not (page.parent / link).exists()
    ]
    problems += [
        f"{page}: `make {target}` does not exist"
        for target in TARGET.findall(text)
        if target not in targets
    ]
    problems += [
        f"{page}: {path} does not exist"
        for path in PROJECT_PATH.findall(text)
        if not Path(path).exists()
    ]
    return problems


def marker_problems(path: Path) -> list[str]:
    """Return left-over markers, machine paths and registry hosts in a file."""
    if str(path) in OWN_RULES or path.suffix == LOCK_SUFFIX:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    return [f"{path}: holds {found!r}" for found in sorted(set(MARKERS.findall(text)))]


def main() -> int:
    """Print every problem; return 1 if there is one."""
    makefile = Path("Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    problems: list[str] = []
    for page in tracked("*.md"):
        problems += page_problems(page, targets)
    for path in tracked():
        problems += marker_problems(path)
    if len(Path("README.md").read_text(encoding="utf-8").splitlines()) > README_LINES:
        problems.append("README.md is longer than two screens")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
