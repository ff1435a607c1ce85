"""Every metric that the code exports, read from its source: no service is imported."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SAMPLES = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
}


@cache
def exported() -> dict[str, frozenset[str]]:
    """Return the labels of each sample name, without those that a scrape adds."""
    found: dict[str, frozenset[str]] = {}
    for folder in ("libs", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "prometheus_client" in path.read_text():
                found.update(_of(ast.parse(path.read_text())))
    return found


def _of(tree: ast.Module) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        suffixes = _SAMPLES.get(call.func.id, ())
        if not suffixes or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        name = str(call.args[0].value).removesuffix("_total")
        labels = ast.literal_eval(call.args[2]) if len(call.args) > 2 else []
        for suffix in suffixes:
            le = {"le"} if suffix == "_bucket" else set()
            found[name + suffix] = frozenset({*labels, *le})
    return found
