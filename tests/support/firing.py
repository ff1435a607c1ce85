"""Whether an alert fires on what a process really said of itself in a fault test.

A test takes two pages of ``/metrics``, before a fault and in it. They are laid out in
time for promtool: half an hour as before, then as in the fault, for as long as the
alert waits and longer. What counts goes on at the pace that was seen, what is measured
stays as it was, but for what a test says is an age. docs/alerts.md: who proves what.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.alert_rules import FOLDER
from tests.support.clients import HINT

PEACE = 30
"""Minutes."""
LONGER = 20
"""Minutes past the time that an alert waits: the longest window of a rate is 15."""
_MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}
_AGEING = 60.0
"""Seconds by which an age grows a minute."""
_COUNTS = {"counter", "histogram", "summary"}


@dataclass(frozen=True)
class Sample:
    """A number of a page, and whether it only ever grows."""

    value: float
    is_count: bool = False


Samples = dict[str, Sample]


@dataclass
class Watched:
    """One process as Prometheus would see it.

    Attributes:
        job: Label of its scrape.
        url: Address of the page; empty: this process's own registry.
        pages: Pages with the moment at which they were read; the first is peace's.
    """

    job: str
    url: str = ""
    pages: list[tuple[float, str | None]] = field(default_factory=list)

    def look(self) -> None:
        """Read the page; a process that does not answer has none."""
        self.pages.append((time.monotonic(), self._page()))

    def _page(self) -> str | None:
        if not self.url:
            return generate_latest().decode()
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310 - our own process
                return str(answer.read().decode())
        except OSError:
            return None

    async def until(
        self, wanted: str, condition: Callable[[float], bool], seconds: float = 20
    ) -> None:
        """Look again and again until a series of some name satisfies a condition.

        Args:
            wanted: How the series begins: a metric, or one with its first labels.
            condition: Of its value.
            seconds: After which it fails.
        """
        async with asyncio.timeout(seconds):
            while True:
                await asyncio.to_thread(self.look)
                if any(
                    condition(sample.value)
                    for name, sample in samples_of(self.pages[-1][1], {}).items()
                    if name.startswith(wanted)
                ):
                    return
                self.pages.pop()
                await asyncio.sleep(0.1)


async def look_at(*watched: Watched) -> None:
    """Read the pages of several processes."""
    for one in watched:
        await asyncio.to_thread(one.look)


def assert_fires(
    alert: str, *watched: Watched, ages: Sequence[str] = (), minutes: int = 0
) -> None:
    """Fail unless an alert is silent before a fault and fires in it.

    Args:
        alert: Its name.
        watched: Processes, each looked at before and in the fault.
        ages: Gauges that are the age of something: a second older each second.
        minutes: How long the fault lasts; 0: as long as the alert waits, and longer.
    """
    if shutil.which("promtool") is None:
        pytest.skip(f"promtool is not on this machine; {HINT}")
    path, waits = rule_of(alert)
    lasts = minutes or round(waits) + LONGER
    wanted = path.read_text()
    series = [
        {"series": name, "values": values}
        for process in watched
        for name, values in series_of(process, wanted, lasts, frozenset(ages))
    ]
    asked = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0'
    questions = [
        {"expr": asked, "eval_time": f"{PEACE - 1}m", "exp_samples": []},
        {
            "expr": asked,
            "eval_time": f"{PEACE + lasts}m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        },
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": questions}
    run({"rule_files": [str(path)], "evaluation_interval": "1m", "tests": [test]})


def run(document: dict[str, object]) -> None:
    """Let promtool judge a test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yml"
        path.write_text(yaml.safe_dump(document))
        ended = subprocess.run(
            ["promtool", "test", "rules", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, f"{said}\n{document['tests']}"


def rule_of(alert: str) -> tuple[Path, float]:
    """Return the file of an alert, and the minutes for which it waits."""
    for path in sorted(FOLDER.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == alert:
                    text = str(rule.get("for", "0m"))
                    return path, float(text[:-1]) * _MINUTES[text[-1]]
    raise LookupError(alert)


def series_of(
    process: Watched, wanted: str, lasts: int, ages: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield each series that the rules read, in promtool's notation."""
    (first_at, first), (last_at, last) = process.pages[0], process.pages[-1]
    labels = {"instance": process.url, "job": process.job}
    before, after = samples_of(first, labels), samples_of(last, labels)
    minutes = (last_at - first_at) / 60
    up = f'up{{instance="{process.url}", job="{process.job}"}}'
    before[up], after[up] = Sample(1.0), Sample(float(last is not None))
    for name in sorted(before.keys() | after.keys()):
        metric = name.partition("{")[0]
        if not re.search(rf"\b{metric}\b", wanted):
            continue
        was, now = before.get(name), after.get(name)
        peace = f"{was.value}x{PEACE - 1}" if was else f"_x{PEACE}"
        if now is None:
            yield name, f"{peace} _x{lasts}"
            continue
        counted = now.value - (was.value if was else 0.0)
        pace = counted / minutes if now.is_count else 0.0
        pace = _AGEING if metric in ages else pace
        yield name, f"{peace} {now.value}+{pace:.9f}x{lasts}"


def samples_of(page: str | None, scraped: dict[str, str]) -> Samples:
    """Return each sample of a page by its series, with the labels of a scrape."""
    found: Samples = {}
    for family in text_string_to_metric_families(page or ""):
        for sample in family.samples:
            labels = sample.labels | scraped
            inside = ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
            is_count = family.type in _COUNTS and not sample.name.endswith("_created")
            found[f"{sample.name}{{{inside}}}"] = Sample(float(sample.value), is_count)
    return found
