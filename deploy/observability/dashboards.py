"""Grafana's dashboards, written from `panels`.

``python -m deploy.observability.dashboards [--check]``
"""

import json
import sys
from pathlib import Path
from typing import Any

from deploy.observability.panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path("deploy/observability/dashboards")
_SCHEMA_VERSION = 39  # of Grafana 10.4; newer ones migrate it when they load it
_COLUMNS = 24
_WIDTH = 12
_HEIGHT = 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def document(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard in Grafana's JSON model."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["parley"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source_variable(), _job_variable()]},
        "panels": [
            _panel(number, panel) for number, panel in enumerate(dashboard.panels)
        ],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number * _WIDTH, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.hint,
        "datasource": _SOURCE,
        "gridPos": {"x": column, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "table", "placement": "right"}},
        "targets": [
            {
                "refId": chr(ord("A") + line),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for line, (legend, expression) in enumerate(panel.queries)
        ],
    }


def _source_variable() -> dict[str, Any]:
    return {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
    }


def _job_variable() -> dict[str, Any]:
    return {
        "name": "job",
        "label": "Service",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(parley_build_info, job)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }


def render(dashboard: Dashboard) -> str:
    """Return the text of a dashboard's file."""
    return json.dumps(document(dashboard), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files; with ``--check`` return 1 where one is not what it should be."""
    stale = []
    for dashboard in DASHBOARDS:
        path, text = FOLDER / f"{dashboard.uid}.json", render(dashboard)
        if "--check" not in arguments:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(str(path))
    if stale:
        print(f"not as the code says: {', '.join(stale)}; run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
