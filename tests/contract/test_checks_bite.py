"""Acceptance 7: each check fails on what it is there to refuse."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("libs", "services", "deploy", "scripts", "tests", "docs", "requirements")
FILES = ("pyproject.toml", "README.md", "Makefile", ".env.example")


@pytest.fixture
def copy(tmp_path) -> Path:
    """Copy the tree, to be spoilt."""
    for name in COPIED:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the checks on the copy, with this environment's tools."""
    return subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )


def append(path: str, text: str) -> Callable[[Path], None]:
    """Return a spoiler that adds text to a file, making it where it is missing."""

    def spoil(tree: Path) -> None:
        target = tree / path
        old = (
            target.read_text(encoding="utf-8") if target.exists() else '"""Spoilt."""\n'
        )
        target.write_text(old + text, encoding="utf-8")

    return spoil


IMPORT_SPOILERS = {
    "a service imports another": append(
        "services/project/service/__init__.py", "\nimport services.media.settings\n"
    ),
    "an adapter imports an adapter": append(
        "services/project/api.py", "\nimport services.project.repository\n"
    ),
    "aio_pika outside libs.events": append(
        "services/project/consumers.py", "\nimport aio_pika\n"
    ),
    "a stray module": append("services/project/helpers.py", "\n"),
    "a stray library": append("libs/stray/__init__.py", "\n"),
    "a framework in the core": append(
        "services/project/domain.py", "\nimport pymongo\n"
    ),
}


def test_import_contracts_hold(copy) -> None:
    """The copy is green before it is spoilt."""
    result = run(copy, "lint-imports", "--no-cache")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("what", IMPORT_SPOILERS)
def test_import_contracts_bite(copy, what) -> None:
    """A forbidden import or a stray module fails the import contracts."""
    (copy / "libs" / "stray").mkdir()
    IMPORT_SPOILERS[what](copy)
    if what != "a stray library":
        (copy / "libs" / "stray").rmdir()
    result = run(copy, "lint-imports", "--no-cache")
    assert result.returncode == 1, result.stdout


def test_module_size_bites(copy) -> None:
    """A module over the limit fails the architecture test."""
    append("libs/kernel/ids.py", "\n# long\n" * 300)(copy)
    result = run(
        copy,
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "tests/unit/test_architecture.py",
        "-k",
        "module_is_small",
    )
    assert result.returncode == 1
    assert "libs/kernel/ids.py" in result.stdout


def test_event_schema_bites(copy) -> None:
    """A schema that changed without a new version fails its golden file."""
    path = copy / "libs" / "events" / "catalog" / "session.py"
    text = path.read_text(encoding="utf-8")
    spoilt = text.replace(
        "    device_name: str", "    device_name: str\n    place: str"
    )
    assert spoilt != text
    path.write_text(spoilt, encoding="utf-8")
    result = run(
        copy,
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "tests/contract/events",
    )
    assert result.returncode == 1


def test_undocumented_setting_bites(copy) -> None:
    """A setting that .env.example does not show fails the check."""
    path = copy / "services" / "project" / "settings.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text + '    surprise_seconds: float = Field(default=1, description="New.")\n',
        encoding="utf-8",
    )
    result = run(copy, "python", "scripts/env_example.py", "--check")
    assert result.returncode == 1, result.stderr
    assert ".env.example" in result.stdout
