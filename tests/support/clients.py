"""The official JavaScript clients and a browser: what they need, and how they run.

``make clients`` installs them, and promtool for the tests of the alerts; `make test`
does so by itself. What cannot be installed is told in words, and the tests that need it
are skipped with the same words.
"""

import contextlib
import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.embedded.errors import PackageMissingError
from deploy.embedded.packages import DebianPackage, ensure_packages

SOURCE = Path(__file__).parents[1] / "clients"
INSTALLED = Path(".parley/clients")
CHROMIUM = Path("/usr/bin/chromium")
HINT = "install it with: make clients"
_FILES = (
    "package.json",
    "package-lock.json",
    "story.js",
    "node.mjs",
    "browser.mjs",
    "provider.mjs",
    "people.mjs",
)
_INSTALL_SECONDS = 180
_STORY_SECONDS = 90

BROWSER = DebianPackage("chromium", "the browser of the tests", CHROMIUM.exists)
NODE = (
    DebianPackage(
        "nodejs", "the JavaScript clients", lambda: shutil.which("node") is not None
    ),
    DebianPackage("npm", "their packages", lambda: shutil.which("npm") is not None),
)
PROMTOOL = DebianPackage(
    "prometheus",
    "promtool, which tests the alert rules",
    lambda: shutil.which("promtool") is not None,
)


def install() -> list[str]:
    """Install what is missing; return what could not be, in words."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with (INSTALLED.parent / "clients.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for needed in (NODE, (BROWSER,), (PROMTOOL,)):
            try:
                ensure_packages(needed)
            except PackageMissingError as error:
                problems.append(str(error))
        if shutil.which("npm"):
            problems += _install_packages()
    return problems


def missing_for_node() -> str:
    """Return why the clients cannot run in Node; empty if they can."""
    if shutil.which("node") is None:
        return f"Node is not on this machine; {HINT}"
    if not _is_current():
        return f"the npm packages are not installed; {HINT}"
    return ""


def missing_for_browser() -> str:
    """Return why the clients cannot run in a browser; empty if they can."""
    if not CHROMIUM.exists():
        return f"chromium is not on this machine; {HINT}"
    return missing_for_node()


def tell(runner: str, given: dict[str, Any]) -> dict[str, Any]:
    """Let a client tell its story; fail with its words if it does not succeed.

    Args:
        runner: ``node.mjs`` or ``browser.mjs``.
        given: Who talks, and where.
    """
    _copy_sources()
    node = shutil.which("node")
    assert node is not None
    finished = subprocess.run(
        [node, runner],
        cwd=INSTALLED,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=_STORY_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2_000:]
    told: dict[str, Any] = json.loads(finished.stdout)
    return told


@contextlib.contextmanager
def running_provider(given: dict[str, Any]) -> Iterator[None]:
    """Run the OpenID provider until the block is left.

    Args:
        given: Where it listens, and its client; see ``provider.mjs``.
    """
    _copy_sources()
    node = shutil.which("node")
    assert node is not None
    with subprocess.Popen(
        [node, "provider.mjs"],
        cwd=INSTALLED,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(given))
            process.stdin.close()
            assert process.stdout.readline().strip() == "ready"
            yield
        finally:
            process.terminate()


def _install_packages() -> list[str]:
    if _is_current():
        return []
    _copy_sources()
    finished = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=INSTALLED,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if finished.returncode:
        return [f"npm ci failed in {INSTALLED}: {finished.stderr.strip()[-500:]}"]
    shutil.copy(SOURCE / "package-lock.json", INSTALLED / "installed-lock.json")
    return []


def _is_current() -> bool:
    stamp = INSTALLED / "installed-lock.json"
    wanted = (SOURCE / "package-lock.json").read_bytes()
    return stamp.is_file() and stamp.read_bytes() == wanted


def _copy_sources() -> None:
    for name in _FILES:
        shutil.copy(SOURCE / name, INSTALLED / name)


def main() -> int:
    """Install and tell what is missing; it never fails a build by itself."""
    for problem in install():
        sys.stderr.write(f"[clients] {problem}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
