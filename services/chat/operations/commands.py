"""The command line of chat's operations."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from typing import TypeAlias

from libs.chassis.errors import StartError
from libs.chassis.settings import load_settings
from libs.crypto import KeyRingError
from libs.kernel import AppError
from services.chat.operations import migrate
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
    except (StartError, KeyRingError, AppError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2


async def _run(arguments: Namespace) -> int:
    code: int = await arguments.run(arguments, load_settings(ChatSettings))
    return code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m services.chat",
        description="Without a command: run the service.",
    )
    commands = parser.add_subparsers(required=True)
    _add_migrate(commands)
    return parser


def _add_migrate(commands: Commands) -> None:
    parser = commands.add_parser("migrate", help="indexes and stored data")
    parser.add_argument("action", choices=("status", "apply"))
    parser.set_defaults(run=migrate.run)
