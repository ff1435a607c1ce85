"""The command line of chat's operations."""

import asyncio
import sys
from argparse import (
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    _SubParsersAction,
)
from typing import TypeAlias

from libs.chassis.errors import StartError
from libs.chassis.logging import configure_logging
from libs.chassis.settings import load_settings
from libs.crypto import KeyRingError
from libs.kernel import AppError
from services.chat.operations import export, keys, migrate, retention, verify
from services.chat.settings import ChatSettings

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"


def main(argv: list[str]) -> int:
    """Run one command.

    Returns:
        0 done, 1 something was found or is pending, 2 it failed, 130 interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(arguments))
    except KeyboardInterrupt:
        return 130
    except (StartError, KeyRingError, AppError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2


async def _run(arguments: Namespace) -> int:
    settings = load_settings(ChatSettings)
    # To stderr: stdout is the result's, and the log file the service's.
    quiet = {"log_file": None, "log_level": "warning"}
    configure_logging(settings.model_copy(update=quiet))
    code: int = await arguments.run(arguments, settings)
    return code


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
