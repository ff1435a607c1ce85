"""What an operator runs: ``python -m services.auth COMMAND``.

A command reads the service's own settings, opens what it needs, tells its progress on
stderr and ends with one line of JSON on stdout.
"""

from argparse import ArgumentParser

from libs.chassis.audit.command import add_audit_command
from libs.chassis.commands import run_command
from services.auth.operations.admins import add_admin_command
from services.auth.operations.erasures import add_erasures_command
from services.auth.operations.keys import add_keys_command
from services.auth.settings import AuthSettings

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Run one command; see `run_command` for what it returns."""
    parser = ArgumentParser(
        prog="python -m services.auth",
        description="Without a command: run the service.",
    )
    commands = parser.add_subparsers(required=True)
    add_admin_command(commands)
    add_audit_command(commands)
    add_erasures_command(commands)
    add_keys_command(commands)
    return run_command(parser, AuthSettings, argv)
