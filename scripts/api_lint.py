"""Check that the HTTP API keeps its own rules (`make api-check`).

The rules are in ``scripts/api_rules.py``. What breaks one for a good reason stands in
``scripts/api_exceptions.json``: the rule, where (all that begins so, if a ``*`` is its
end) and the reason. An exception that nothing needs any more is refused too.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

from scripts.api_description import TARGET, operations_of
from scripts.api_operation import Operation
from scripts.api_rules import RULES, broken_names_of_fields, repeated_ids

EXCEPTIONS = Path(__file__).with_name("api_exceptions.json")


@dataclass(frozen=True, order=True)
class Finding:
    """What breaks a rule, and where."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.where}: {self.what} ({self.rule})"


def findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield everything in a merged document that breaks a rule."""
    for method, path, described in operations_of(document):
        operation = Operation(method, path, described, document)
        for rule, check in RULES.items():
            for where, what in check(operation):
                yield Finding(rule, where, what)
    for where, what in broken_names_of_fields(document):
        yield Finding("names", where, what)
    for where, what in repeated_ids(document):
        yield Finding("ids", where, what)


@dataclass(frozen=True)
class Exemption:
    """A place where a rule is broken on purpose."""

    rule: str
    where: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding is what this is about."""
        if finding.rule != self.rule or not self.reason:
            return False
        if self.where.endswith("*"):
            return finding.where.startswith(self.where[:-1])
        return finding.where == self.where


def refused(document: Mapping[str, Any], exemptions: Sequence[Exemption]) -> list[str]:
    """Return a line for each finding without exemption, and each idle exemption."""
    found = sorted(set(findings(document)))
    lines = [str(one) for one in found if not any(e.covers(one) for e in exemptions)]
    idle = [one for one in exemptions if not any(one.covers(f) for f in found)]
    return lines + [f"{one.where}: nothing breaks {one.rule!r} there" for one in idle]


def main() -> int:
    """Print what is refused; return the exit status."""
    entries = json.loads(EXCEPTIONS.read_text(encoding="utf-8"))["exceptions"]
    exemptions = [Exemption(**entry) for entry in entries]
    lines = refused(json.loads(TARGET.read_text(encoding="utf-8")), exemptions)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
