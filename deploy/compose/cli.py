"""Commands of ``python -m deploy.compose``: what `make` calls with STACK=compose."""

import argparse
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from deploy.compose.calls import (
    build_images,
    call_compose,
    compose_command,
    require_engine,
)
from deploy.compose.installation import DEFAULT_ROOT, Installation, open_installation
from deploy.compose.recovery import add_segment, back_up, restore
from deploy.compose.secret_files import write_secret_files
from deploy.embedded.errors import StackError
from libs.kernel import AppError

_FAILED = 1
_UP_SECONDS = 300
_EDGE_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 when it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        options.run(open_installation(options.root), options.words)
    except (StackError, AppError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _FAILED
    return 0


def addresses(installation: Installation) -> dict[str, str]:
    """Return where people and programs of this machine reach what is published."""
    plain = {"mails": "smtp_view", "pushes": "fcm_control"}
    plain["RabbitMQ"] = "rabbitmq_management"
    found = {"site": installation.origin("PARLEY_HOST")}
    for name, listener in plain.items():
        found[name] = f"http://127.0.0.1:{installation.port(listener)}"
    if installation.profiles:
        found["Prometheus"] = f"http://127.0.0.1:{installation.port('prometheus')}"
    return found


def ca_file(installation: Installation) -> Path:
    """Return the certificate of the installation's own authority."""
    return installation.root / "state" / "secrets" / "ca" / "ca.pem"


def prepare(installation: Installation, words: Sequence[str] = ()) -> None:
    """Write secrets and settings; everything else Compose does by itself."""
    del words
    installation.refuse_fewer_members()
    write_secret_files(installation)
    installation.record()


def bring_up(installation: Installation, words: Sequence[str] = ()) -> None:
    """Build what is built here, start everything, and wait until it answers."""
    require_engine()
    prepare(installation)
    build_images(installation)
    wait = ["up", "--detach", "--wait", "--wait-timeout", str(_UP_SECONDS)]
    # Named: of steps, which end, Compose would say that they are not running.
    names = words or staying(installation)
    call_compose(installation, *wait, "--remove-orphans", *names)
    wait_for_edge(installation)
    for name, address in addresses(installation).items():
        print(f"  {name:<10} {address}")


def staying(installation: Installation) -> list[str]:
    """Return the containers that are to run on, steps left out."""
    command = [*compose_command(installation), "config", "--format", "json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise StackError(done.stderr.strip())
    services = json.loads(done.stdout)["services"]
    return [name for name, it in services.items() if it.get("restart") != "no"]


def wait_for_edge(installation: Installation) -> None:
    """Wait until the site answers, as its clients ask it.

    Raises:
        StackError: It does not.
    """
    site = installation.origin("PARLEY_HOST")
    context = ssl.create_default_context(cafile=ca_file(installation))
    limit = time.monotonic() + _EDGE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(site, timeout=3, context=context):  # noqa: S310 - https, from the settings
                return
        except (OSError, urllib.error.URLError) as error:
            if time.monotonic() > limit:
                raise StackError(f"{site} does not answer: {error}") from error
        time.sleep(0.3)


def _bring_down(installation: Installation, words: Sequence[str]) -> None:
    require_engine()
    call_compose(installation, "down", *words)


def _status(installation: Installation, words: Sequence[str]) -> None:
    require_engine()
    del words
    command = [*compose_command(installation), "ps", "--all", "--format", "json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise StackError(done.stderr.strip())
    print(f"{'container':<22} {'state':<10} {'health':<10} status")
    for line in done.stdout.splitlines():
        row = json.loads(line)
        health = row["Health"] or "-"
        print(f"{row['Service']:<22} {row['State']:<10} {health:<10} {row['Status']}")


def _logs(installation: Installation, words: Sequence[str]) -> None:
    require_engine()
    follow = ["--follow"] if sys.stdout.isatty() else []
    call_compose(installation, "logs", "--tail", "100", *follow, *words)


def _any(installation: Installation, words: Sequence[str]) -> None:
    """Hand other words to Compose as they are."""
    require_engine()
    call_compose(installation, *words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.compose")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT)
    commands = parser.add_subparsers(required=True)
    for name, run, text in _COMMANDS:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        command.add_argument("words", nargs=argparse.REMAINDER)
    return parser


_COMMANDS = (
    ("prepare", prepare, "write secrets and settings, start nothing"),
    ("up", bring_up, "start what is missing and wait until it is ready"),
    ("down", _bring_down, "stop and remove the containers; volumes stay"),
    ("status", _status, "show what runs"),
    ("logs", _logs, "show the ends of logs"),
    ("backup", back_up, "back up databases and files at one moment"),
    ("segment", add_segment, "add to the backups what came since"),
    ("restore", restore, "make databases and files what they were"),
    ("compose", _any, "run `docker compose` with the installation's files"),
)
