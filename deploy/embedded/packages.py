"""Debian's part of the stack: what is needed, and how it is installed."""

import ctypes.util
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import PackageMissingError

RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = Path("/usr/bin/epmd")


@dataclass(frozen=True)
class DebianPackage:
    """A package and how to see that what it brings is there.

    Attributes:
        name: As apt knows it.
        needed_for: Words for the message.
        is_there: Whether it need not be installed.
    """

    name: str
    needed_for: str
    is_there: Callable[[], bool]


NEEDED = (
    DebianPackage(
        "rabbitmq-server",
        "the message broker",
        lambda: RABBITMQ_SERVER.exists() and EPMD.exists(),
    ),
    DebianPackage(
        "libcurl4",
        "mongod, which links to it",
        lambda: ctypes.util.find_library("curl") is not None,
    ),
)


def ensure_packages(needed: tuple[DebianPackage, ...] = NEEDED) -> None:
    """Install the Debian packages that are missing.

    Raises:
        PackageMissingError: They cannot be installed; the text has the command.
    """
    missing = [package for package in needed if not package.is_there()]
    if not missing:
        return
    names = [package.name for package in missing]
    install = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    prefix = _root_prefix()
    if prefix is None or shutil.which("apt-get") is None:
        raise PackageMissingError(advice(missing))
    print(f"installing {', '.join(names)} from Debian's archive ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], install):
        finished = subprocess.run(
            [*prefix, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode and command is install:
            said = "\n".join((finished.stdout + finished.stderr).splitlines()[-10:])
            raise PackageMissingError(f"{advice(missing)}\napt-get said:\n{said}")
    still = [package for package in missing if not package.is_there()]
    if still:
        raise PackageMissingError(advice(still))


def advice(missing: list[DebianPackage]) -> str:
    """Return what to tell somebody who must install packages by hand."""
    names = " ".join(package.name for package in missing)
    reasons = "; ".join(f"{package.name}: {package.needed_for}" for package in missing)
    return (
        f"Debian packages are missing ({reasons}). Install them with:\n"
        f"  sudo apt-get update && sudo apt-get install -y "
        f"--no-install-recommends {names}"
    )


def _root_prefix() -> list[str] | None:
    """Return what to put before a command to run it as root, None if impossible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    may = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if may.returncode == 0 else None
