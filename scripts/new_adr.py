"""Start an architecture decision record with the next free number."""

import re
import sys
from pathlib import Path

FOLDER = Path("docs/adr")
TEMPLATE = """# {number:04d}. {title}

Status: proposed

## Context

## Decision

## Consequences

## Alternatives

## Enforced by

## References
"""


def main(title: str) -> int:
    """Write ``docs/adr/NNNN-title.md`` and print its path."""
    if not title.strip() or title == "tests":
        print('usage: make adr T="Use something"')
        return 2
    numbers = [int(path.name[:4]) for path in FOLDER.glob("[0-9]*.md")]
    number = max(numbers, default=0) + 1
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    path = FOLDER / f"{number:04d}-{slug}.md"
    path.write_text(TEMPLATE.format(number=number, title=title), encoding="utf-8")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
