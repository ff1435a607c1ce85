"""The shape of the code base, as far as import-linter and ruff cannot check it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 400
TEST_LINES = 600
FUNCTION_LINES = 30
FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
HANDLER_LINES = 10
RUNS_WHAT_IT_READS = {"eval", "exec", "compile", "__import__"}
MAKES_WHAT_IT_READS = {
    *("pickle", "_pickle", "dill", "cloudpickle", "jsonpickle", "shelve", "marshal"),
    "yaml",
}
BROKER_WORDS = re.compile(
    r"(?<!accounts\.)queue|exchange|channel\b|routing|amqp|aio_pika|ack\b",
    re.IGNORECASE,
)
MANDATORY = ("__init__", "__main__", "app", "settings")


def modules(*folders: str) -> list[Path]:
    """Return every Python file below the folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    """Name a file as a reader would."""
    return str(path.relative_to(ROOT))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without signature and docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    if not body or function.end_lineno is None:
        return 0
    return function.end_lineno - body[0].lineno + 1


@pytest.mark.parametrize(
    "path", modules("libs", "services", "deploy", "scripts", "bench"), ids=relative
)
def test_module_is_small(path: Path) -> None:
    """No module is longer than the hard limit."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", modules("tests"), ids=relative)
def test_test_module_is_small(path: Path) -> None:
    """No test module is longer than its own limit."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= TEST_LINES


@pytest.mark.parametrize(
    "path", modules("libs", "services", "deploy", "scripts", "bench"), ids=relative
)
def test_functions_are_short(path: Path) -> None:
    """No function's body is longer than the limit."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = {
        function.name: body_lines(function)
        for function in functions(tree)
        if body_lines(function) > FUNCTION_LINES
    }
    assert long == {}


@pytest.mark.parametrize("path", modules("libs", "services", "deploy"), ids=relative)
def test_module_name_explains_itself(path: Path) -> None:
    """No module is called by a word that says nothing."""
    assert not FORBIDDEN_WORDS & set(path.stem.split("_"))


@pytest.mark.parametrize("path", modules("libs", "services", "deploy"), ids=relative)
def test_in_3_nothing_that_came_from_outside_is_run(path: Path) -> None:
    """IN-3: no module unpickles, evaluates, or reads what could name code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported, called = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
    assert not imported & MAKES_WHAT_IT_READS
    assert not called & RUNS_WHAT_IT_READS
    # HT-5: what opens as a table needs its cells' formulas defused, with a test.
    assert "csv" not in imported


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_its_mandatory_modules(service: str) -> None:
    """Every service has the modules that all have, and a docstring that tells it."""
    folder = ROOT / "services" / service
    for name in MANDATORY:
        assert (folder / f"{name}.py").is_file() or (folder / name).is_dir()
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)


def handlers() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Return every function that a service subscribes to events, with its name."""
    return [
        (f"{relative(path)}:{function.name}", function)
        for path in modules("services")
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if any("worker.subscribe" in ast.unparse(d) for d in function.decorator_list)
    ]


@pytest.mark.parametrize(
    "handler",
    [pytest.param(function, id=name) for name, function in handlers()],
)
def test_handler_is_short_and_knows_no_broker(handler: ast.AsyncFunctionDef) -> None:
    """Ten lines at most, and no queue, exchange or channel of a broker in them."""
    assert body_lines(handler) <= HANDLER_LINES
    statements = handler.body[1:] if ast.get_docstring(handler) else handler.body
    text = "\n".join(ast.unparse(statement) for statement in statements)
    assert not BROKER_WORDS.search(text)


def test_services_have_handlers() -> None:
    """The search above finds them: each consuming service is there."""
    found = {name.split("/")[1] for name, _ in handlers()}
    assert {"chat", "gateway", "media", "notification", "project"} <= found


@pytest.mark.parametrize("module", ["libs.events", "libs.crypto", "libs.kernel"])
def test_library_imports_no_transport(module: str) -> None:
    """The libraries' fronts load neither broker, nor web framework, nor driver."""
    forbidden = ("aio_pika", "aiormq", "fastapi", "redis", "boto3")
    program = (
        f"import sys, {module};"
        f"sys.exit(any(name in sys.modules for name in {forbidden!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60
    )
    assert result.returncode == 0


def test_consumers_import_without_settings() -> None:
    """The topology step reads every worker without a service's settings."""
    imports = ";".join(f"import services.{name}.consumers" for name in SERVICES)
    result = subprocess.run(
        [sys.executable, "-c", imports],
        cwd=ROOT,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
