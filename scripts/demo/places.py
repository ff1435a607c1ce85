"""Which stack a command of ours plays on: the processes here, or the containers."""

import argparse
from pathlib import Path

from deploy.compose.cli import ca_file
from deploy.compose.installation import Installation, open_installation
from deploy.embedded.layout import DEFAULT_ROOT, Stack, open_stack
from scripts.demo.house import House


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options by which a command is told its stack."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--stack", choices=("embedded", "compose"), default="embedded")
    found.add_argument("--root", type=Path, help="the stack's folder")
    return found


def house_of(options: argparse.Namespace) -> House:
    """Return the house that the options name."""
    if options.stack == "compose":
        return containers(open_installation(options.root or DEFAULT_ROOT / "compose"))
    return processes(open_stack(options.root or DEFAULT_ROOT))


def processes(stack: Stack) -> House:
    """Return the house of a stack without containers."""
    return House(
        stack.url("edge"),
        stack.url("smtp_view"),
        stack.url("fcm_control"),
        stack.url("rabbitmq_management"),
    )


def containers(installation: Installation) -> House:
    """Return the house of an installation by Compose."""
    plain = [
        f"http://127.0.0.1:{installation.port(listener)}"
        for listener in ("smtp_view", "fcm_control", "rabbitmq_management")
    ]
    site = installation.origin("PARLEY_HOST")
    return House(site, *plain, ca_file=str(ca_file(installation)))
