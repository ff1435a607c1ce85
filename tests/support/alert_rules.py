"""The alert rules, read as far as tests need it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "observability" / "rules"
SELECTOR = re.compile(r"\b((?:audit|auth|events|rabbitmq)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")


@dataclass(frozen=True)
class Rule:
    """One alert."""

    name: str
    expression: str
    text: dict[str, Any]

    @property
    def selectors(self) -> dict[str, set[str]]:
        """Each metric that it reads, with the labels it is selected by."""
        found: dict[str, set[str]] = {}
        for metric, matchers in SELECTOR.findall(self.expression):
            found.setdefault(metric, set()).update(MATCHER.findall(matchers))
        return found

    @property
    def labels(self) -> set[str]:
        """Every label that it is grouped by or that its summary names."""
        grouped = ", ".join(GROUPING.findall(self.expression))
        named = re.findall(r"\$labels\.([a-z_]+)", str(self.text["annotations"]))
        return {label.strip() for label in grouped.split(",") if label} | set(named)


def rules(name: str = "events") -> list[Rule]:
    """Return every alert of a file, in its order."""
    groups = yaml.safe_load((FOLDER / f"{name}.yml").read_text())["groups"]
    return [
        Rule(rule["alert"], rule["expr"], rule)
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    ]
