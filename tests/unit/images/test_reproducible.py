"""The same commit gives the same layers, as far as that shows without an engine.

`make image-twice` builds and compares for real. Here the commands of the stages that
compile run in a folder, on files that only a clone would tell apart.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.images.test_dockerfile import (
    FILES,
    ROOT,
    Instruction,
    instructions,
    stage,
)

CODE = ("libs/kernel", "services/project/domain")
COMPILING = ("Dockerfile", "deploy/compose/Dockerfile")


def steps(file: str) -> list[tuple[str, str]]:
    """Return each stage's name and what it runs last."""
    last: dict[str, str] = {}
    name = ""
    for word, rest in instructions(file):
        if word == "FROM":
            name = rest.partition(" AS ")[2]
        elif word == "RUN":
            last[name] = rest
    return list(last.items())


@pytest.mark.parametrize("file", FILES)
def test_what_a_stage_leaves_has_a_time_of_no_clock(file: str) -> None:
    """Of 1970 where the lock decides, of the commit where the code does."""
    for name, command in steps(file):
        when = "${SOURCE_DATE_EPOCH}" if name == "code" else "0"
        times = re.findall(r'touch --no-dereference --date="?@(\S+?)"? ', command)
        assert times == [when], name


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_fetched_that_no_lock_names(file: str) -> None:
    """No package of a distribution, no download: only wheels by their hashes."""
    for word, rest in instructions(file):
        assert word != "ADD"
        if word == "RUN":
            assert not re.search(r"\b(apt-get|apt|apk|curl|wget|git)\s", rest)
            assert ("install --quiet" in rest) == ("--require-hashes" in rest)


def test_times_and_names_come_from_the_commit() -> None:
    """The script that builds asks no clock, and passes on what the labels say."""
    script = (ROOT / "scripts/images/build.sh").read_text(encoding="utf-8")

    assert "epoch=$(git log -1 --format=%ct)" in script
    assert 'date --utc --date="@$epoch"' in script
    assert script.count("$(date ") == 1
    for name in ("SOURCE_DATE_EPOCH", "VERSION", "REVISION", "CREATED"):
        assert f'--build-arg "{name}=' in script


@pytest.mark.parametrize("file", COMPILING)
def test_two_clones_make_one_layer(file: str, tmp_path: Path) -> None:
    """Whatever the times, the modes and the order in which files came."""
    layers = []
    for umask, time, turn in ((0o077, 1_000_000, 1), (0o002, 2_000_000_000, -1)):
        _clone(tmp_path / "app", umask, time, turn)
        _run(stage("code", file), tmp_path, seed=str(umask))
        layers.append(_layer(tmp_path / "out"))
        shutil.rmtree(tmp_path / "out")
    assert layers[0] == layers[1]
    assert any(name.endswith(".pyc") for name in layers[0])


def _clone(app: Path, umask: int, time: int, turn: int) -> None:
    """Lay code out as one person's clone has it."""
    before = os.umask(umask)
    try:
        files = [path for top in CODE for path in sorted((ROOT / top).rglob("*.py"))]
        for path in files[::turn]:
            target = app / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            os.utime(target, (time, time))
    finally:
        os.umask(before)


def _run(code: list[Instruction], root: Path, seed: str) -> None:
    """Run a stage's command with its folders below another root.

    Args:
        code: The stage.
        root: Instead of ``/``.
        seed: Of hashes, where the stage does not say which.
    """
    words = dict(code)
    below = re.sub(r"(?<![\w/])/(app|out)\b", rf"{root}/\1", words["RUN"])
    below = re.sub(r"^python ", f"{sys.executable} ", below)
    said = dict(pair.split("=", 1) for pair in words.get("ENV", "").split())
    values = {"PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": "1700000000", **said}
    subprocess.run(
        ["/bin/sh", "-ec", below], env=os.environ | values, check=True, timeout=60
    )


def _layer(out: Path) -> dict[str, tuple[int, float, str]]:
    """Return mode, time and content of each path, as a layer would hold them."""
    found = {}
    for path in sorted([out, *out.rglob("*")]):
        known = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        name = str(path.relative_to(out))
        found[name] = (stat.S_IMODE(known.st_mode), known.st_mtime, digest)
    return found
