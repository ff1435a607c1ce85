"""Rules and dashboards read metrics that exist; each alert is tested and explained."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.observability.dashboards import document, render
from deploy.observability.panels import DASHBOARDS
from tests.support.alert_rules import FOLDER, rules
from tests.support.exported_metrics import exported

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
OF_THE_SCRAPE = {"job", "instance", "vhost", "queue"}
RECORDED = {
    rule["record"]
    for group in yaml.safe_load((FOLDER / "services.yml").read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}
SELECTOR = re.compile(r"\b([a-z]+(?::[a-z_0-9]+)+|[a-z]+_[a-z_]+|up)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
BY = re.compile(r"\bby \(([^)]*)\)")
FUNCTIONS = {"histogram_quantile", "avg_over_time", "label_values"}
FILES = sorted(path.stem for path in FOLDER.glob("*.yml"))
EXPRESSIONS = [
    *(
        pytest.param(rule["expr"], id=rule.get("record") or rule["alert"])
        for group in yaml.safe_load((FOLDER / "services.yml").read_text())["groups"]
        for rule in group["rules"]
    ),
    *(
        pytest.param(query, id=f"{dashboard.uid}: {panel.title} {legend}")
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for legend, query in panel.queries
    ),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_read_is_exported(expression):
    """Names of metrics and of the labels that select and group them."""
    grouped = {
        label.strip()
        for labels in BY.findall(expression)
        for label in labels.split(",")
    }
    known = set(OF_THE_SCRAPE)
    read = [
        (name, set(MATCHER.findall(matchers)))
        for name, matchers in SELECTOR.findall(BY.sub("", expression))
        if name not in FUNCTIONS and not name.startswith("rabbitmq_")
    ]
    for name, selected in read:
        if name == "up" or name in RECORDED:
            continue
        assert name in exported(), name
        assert selected <= exported()[name] | OF_THE_SCRAPE
        known |= exported()[name]
    assert grouped <= known
    assert read or "rabbitmq_" in expression


@pytest.mark.parametrize("rule", rules("services"), ids=lambda rule: rule.name)
def test_an_alert_has_its_section(rule):
    """A severity in one of three words, and a heading that says what to do."""
    assert rule.text["labels"]["severity"] in {"page", "ticket", "note"}
    assert (
        rule.text["annotations"]["runbook"] == f"docs/monitoring.md#{rule.name.lower()}"
    )
    assert f"### {rule.name}\n" in PAGE


def test_every_section_has_its_alert():
    """Nothing is explained that can't happen."""
    described = set(re.findall(r"^### ([A-Z][A-Za-z]+)$", PAGE, re.MULTILINE))
    assert described == {rule.name for rule in rules("services")}


@pytest.mark.parametrize("name", FILES)
def test_every_alert_is_seen_silent_and_firing(name):
    """Each alert has a test for promtool, with a time of peace and one of trouble."""
    tests = yaml.safe_load((FOLDER.parent / "tests" / f"{name}.yml").read_text())
    seen: dict[str, set[bool]] = {}
    for test in tests["tests"]:
        for question in test["promql_expr_test"]:
            asked = re.search(r'alertname="(\w+)"', question["expr"])
            assert asked is not None
            seen.setdefault(asked[1], set()).add(bool(question["exp_samples"]))
    assert seen == {rule.name: {False, True} for rule in rules(name)}


def test_the_alert_of_partitions_knows_how_many_there_are():
    """A number in a rule is the number in the code."""
    source = (ROOT / "services" / "chat" / "ports" / "partitions.py").read_text()
    count = re.search(r"^PARTITIONS = (\d+)$", source, re.MULTILINE)
    by_name = {rule.name: rule for rule in rules("services")}
    assert count is not None
    assert by_name["ChatPartitionsUnowned"].expression.endswith(f"< {count[1]}")


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_a_dashboard_is_what_the_code_says(dashboard):
    """The file is current, panels stand two a row, and no two have one title."""
    path = FOLDER.parent / "dashboards" / f"{dashboard.uid}.json"
    assert path.read_text() == render(dashboard)
    panels = document(dashboard)["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) == len({panel["title"] for panel in panels})


def test_the_collector_runs_what_it_describes():
    """Each pipeline names receivers, processors and exporters that are configured."""
    text = (FOLDER.parent / "collector.yml").read_text()
    configuration = yaml.safe_load(text)
    for pipeline in configuration["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(configuration[kind])
            assert pipeline[kind]
    assert pipeline["processors"][0] == "memory_limiter"


def test_prometheus_scrapes_every_service_under_its_name():
    """A job is named as the service, on the port that it has everywhere."""
    text = (FOLDER.parent / "prometheus.yml").read_text()
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load(text)["scrape_configs"]
    }
    services = {path.parent.name for path in (ROOT / "services").glob("*/app")} | {
        path.parent.name for path in (ROOT / "services").glob("*/app.py")
    }
    assert set(jobs) == services | {"rabbitmq"}
    for service in services:
        assert jobs[service][0].startswith(f"{service}:")


def test_a_cluster_gets_every_rule_and_every_dashboard():
    """What kustomize hands out is what stands in the folders."""
    text = (FOLDER.parent / "kustomization.yaml").read_text()
    maps = yaml.safe_load(text)["configMapGenerator"]
    handed_out = {name for generated in maps for name in generated["files"]}
    assert handed_out - {"collector.yml"} == {
        str(path.relative_to(FOLDER.parent))
        for folder, kind in (("rules", "*.yml"), ("dashboards", "*.json"))
        for path in (FOLDER.parent / folder).glob(kind)
    }
