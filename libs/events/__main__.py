"""``python -m libs.events``: topology, dead letters, outbox, documents."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from typing import TypeAlias

from libs.events.commands import topology
from libs.events.commands.workers import WorkerNotFoundError
from libs.events.settings import AdminSettings

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 there was a difference or something is missing, 2 it failed.
    """
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(arguments))
    except KeyboardInterrupt:
        return 130
    except Exception as err:
        if arguments.is_verbose and not isinstance(err, WorkerNotFoundError):
            raise
        print(f"{type(err).__name__}: {err}", file=sys.stderr)  # noqa: T201 - a command line
        return 2


async def _run(arguments: Namespace) -> int:
    settings = AdminSettings.from_environment()
    settings = replace(
        settings,
        amqp_url=arguments.amqp_url or settings.amqp_url,
        management_url=arguments.management_url or settings.management_url,
    )
    code: int = await arguments.run(arguments, settings)
    return code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m libs.events", description=__doc__)
    parser.add_argument("--amqp-url", default="", help="EVENTS_ADMIN_AMQP_URL")
    parser.add_argument("--management-url", default="", help="EVENTS_MANAGEMENT_URL")
    parser.add_argument("--verbose", dest="is_verbose", action="store_true")
    commands = parser.add_subparsers(required=True)
    _add_topology(commands)
    return parser


def _add_topology(commands: Commands) -> None:
    parser = commands.add_parser("topology", help="what must be on the broker")
    parser.add_argument("action", choices=("show", "diff", "apply"))
    parser.add_argument("--workers", nargs="+", required=True, metavar="MODULE:NAME")
    parser.add_argument("--amqp-url", default="")
    parser.add_argument("--management-url", default="")
    parser.add_argument("--allow-missing-users", action="store_true")
    parser.set_defaults(run=topology.run)


if __name__ == "__main__":
    sys.exit(main())
