"""Benchmarks take from each other only what is there; no type checker reads them."""

import ast
from collections.abc import Iterator
from pathlib import Path

BENCH = Path(__file__).parents[3] / "bench"


def trees() -> dict[str, ast.Module]:
    """Return every module of the benchmarks, parsed, by its name."""
    found = {}
    for path in BENCH.rglob("*.py"):
        parts = path.relative_to(BENCH.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def names_of(tree: ast.Module) -> set[str]:
    """Return what a module binds at its top."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            bound = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            names |= {part.id for part in bound if isinstance(part.ctx, ast.Store)}
    return names


def taken(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that a module imports from a benchmark, after its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench"):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_whatever_one_benchmark_imports_from_another_is_there() -> None:
    """A name that moved to another module fails here, not when somebody measures."""
    found = trees()
    missing = [
        f"{name}: {module}.{wanted}"
        for name, tree in found.items()
        for module, wanted in taken(tree)
        if f"{module}.{wanted}" not in found
        and (module not in found or wanted not in names_of(found[module]))
    ]
    assert not missing
    assert "bench.chat.closed_loop" in found
