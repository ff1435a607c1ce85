"""``python -m libs.events``: topology, dead letters, outbox, order, documents."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import replace
from typing import TypeAlias

from libs.events.commands import dlq, docs, ordered, outbox, topology
from libs.events.commands.filters import add_filters
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
    parser.set_defaults(amqp_url="", management_url="")
    parser.add_argument("--verbose", dest="is_verbose", action="store_true")
    commands = parser.add_subparsers(required=True)
    _add_topology(commands)
    _add_dlq(commands)
    _add_outbox(commands)
    _add_documents(commands)
    return parser


def _add_topology(commands: Commands) -> None:
    parser = commands.add_parser("topology", help="what must be on the broker")
    parser.add_argument("action", choices=("show", "diff", "apply"))
    _add_workers(parser, is_required=True)
    _add_broker(parser)
    parser.add_argument("--allow-missing-users", action="store_true")
    parser.set_defaults(run=topology.run)


def _add_dlq(commands: Commands) -> None:
    parser = commands.add_parser("dlq", help="dead letters")
    parser.add_argument("action", choices=("list", "show", "replay", "drop"))
    parser.add_argument("queue", nargs="?", default="", help="<service>.<name>")
    parser.add_argument("--body", action="store_true", help="show the body too")
    add_filters(parser)
    _add_broker(parser)
    parser.set_defaults(run=dlq.run)


def _add_outbox(commands: Commands) -> None:
    parser = commands.add_parser("outbox", help="backlog of one service")
    parser.add_argument("action", choices=("status", "requeue"))
    parser.add_argument("--mongo-url", default="", help="EVENTS_MONGO_URL")
    add_filters(parser)
    parser.set_defaults(run=outbox.run)
    parser = commands.add_parser("ordered", help="blocked keys of one service")
    parser.add_argument("action", choices=("list", "release"))
    parser.add_argument("--mongo-url", default="", help="EVENTS_MONGO_URL")
    parser.add_argument("--subscription", default="", help="only of this one")
    parser.add_argument("--key", default="", help="only this key")
    parser.add_argument("--dry-run", action="store_true", help="change nothing")
    parser.set_defaults(run=ordered.run)


def _add_documents(commands: Commands) -> None:
    parser = commands.add_parser("docs", help="events.md and asyncapi.json")
    _add_workers(parser, is_required=False)
    parser.add_argument("--folder", default="docs")
    parser.add_argument("--check", action="store_true")
    parser.set_defaults(run=docs.run_docs)
    parser = commands.add_parser("schemas", help="golden schemas")
    parser.add_argument("--folder", default="tests/contract/events/golden")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--force", action="store_true", help="before a release only")
    parser.set_defaults(run=docs.run_schemas)


def _add_workers(parser: ArgumentParser, *, is_required: bool) -> None:
    parser.add_argument(
        "--workers", nargs="+", default=[], required=is_required, metavar="MODULE:NAME"
    )


def _add_broker(parser: ArgumentParser) -> None:
    parser.add_argument("--amqp-url", default="", help="EVENTS_ADMIN_AMQP_URL")
    parser.add_argument("--management-url", default="", help="EVENTS_MANAGEMENT_URL")


if __name__ == "__main__":
    sys.exit(main())
