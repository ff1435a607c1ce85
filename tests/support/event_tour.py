"""The programs of the three-minute tour in libs/events/README.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "libs" / "events" / "README.md"


def write_tour(folder: Path) -> None:
    """Write the tour's program and its test as the page has them."""
    page = README.read_text().partition("## The three-minute tour")[2]
    *program, test = re.findall(
        "```python\n(.*?)```", page.partition("\n## ")[0], re.DOTALL
    )
    (folder / "tour.py").write_text("\n\n".join(program))
    (folder / "test_tour.py").write_text(test)


def console_words() -> list[str]:
    """Return the command of the tour, without ``python``."""
    [line] = re.findall(r"^\$ python (.*)$", README.read_text(), re.MULTILINE)
    return line.split()


def run(folder: Path, *words: str, **environment: str) -> str:
    """Run Python beside the tour; return what it printed."""
    result = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{folder}"} | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
