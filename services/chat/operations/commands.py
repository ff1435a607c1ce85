"""The command line of chat's operations."""

from argparse import ArgumentParser, ArgumentTypeError, _SubParsersAction
from typing import TypeAlias

from libs.chassis.audit.command import add_audit_command
from libs.chassis.commands import run_command
from services.chat.operations import export, keys, migrate, retention, verify
from services.chat.settings import ChatSettings

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"


def main(argv: list[str]) -> int:
    """Run one command; see `run_command` for what it returns."""
    return run_command(_parser(), ChatSettings, argv)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m services.chat",
        description="Without a command: run the service.",
    )
    commands = parser.add_subparsers(required=True)
    _add_migrate(commands)
    _add_keys(commands)
    _add_verify(commands)
    _add_retention(commands)
    _add_export(commands)
    add_audit_command(commands)
    return parser


def _add_migrate(commands: Commands) -> None:
    parser = commands.add_parser("migrate", help="indexes and stored data")
    parser.add_argument("action", choices=("status", "apply"))
    parser.set_defaults(run=migrate.run)


def _add_keys(commands: Commands) -> None:
    actions = commands.add_parser("keys", help="data keys").add_subparsers(
        required=True
    )
    actions.add_parser("status", help="what wraps how many").set_defaults(
        run=keys.status
    )
    rotate = actions.add_parser("rotate", help="re-wrap under the current key")
    rotate.add_argument("--dry-run", dest="is_dry_run", action="store_true")
    rotate.add_argument(
        "--rate",
        dest="keys_per_second",
        type=_rate,
        default=500.0,
        help="keys a second at most",
    )
    rotate.set_defaults(run=keys.rotate)


def _add_verify(commands: Commands) -> None:
    parser = commands.add_parser("verify", help="whether what is stored is whole")
    parser.add_argument("--conversation", default="", help="this one alone")
    parser.set_defaults(run=verify.run)


def _add_retention(commands: Commands) -> None:
    parser = commands.add_parser("retention", help="forget messages that are too old")
    run = parser.add_subparsers(required=True).add_parser("run", help="now")
    run.add_argument("--dry-run", dest="is_dry_run", action="store_true")
    run.set_defaults(run=retention.run)


def _add_export(commands: Commands) -> None:
    parser = commands.add_parser("export", help="a conversation as lines of JSON")
    parser.add_argument("conversation", help="its id")
    parser.add_argument(
        "--output", required=True, help="file to write, readable by you"
    )
    parser.set_defaults(run=export.run)


def _rate(text: str) -> float:
    rate = float(text)
    if not rate > 0:
        raise ArgumentTypeError("must be above 0")
    return rate
