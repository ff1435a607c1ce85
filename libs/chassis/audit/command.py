"""``audit verify``: the command of every service that keeps an audit."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from libs.chassis.audit.chain import AuditKeys
from libs.chassis.audit.checkpoints import read_checkpoints
from libs.chassis.audit.entry import AuditEntry, AuditResult
from libs.chassis.audit.mongo import MongoAuditTrail, MongoChainStore
from libs.chassis.audit.opening import checkpoints_file
from libs.chassis.audit.verifier import AuditVerdict, verify_chain
from libs.chassis.commands import run_command
from libs.chassis.mongo import open_mongo
from libs.chassis.progress import Progress, show
from libs.chassis.settings import AuditedServiceSettings
from libs.crypto import KeyRing
from libs.kernel import SystemClock

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"


def add_audit_command(commands: Commands) -> None:
    """Add ``audit verify`` to a service's command line."""
    audit = commands.add_parser("audit", help="the record of what was done")
    verify = audit.add_subparsers(required=True).add_parser(
        "verify", help="whether the chain is whole"
    )
    verify.add_argument(
        "--checkpoints",
        type=Path,
        action="append",
        help="file of checkpoints (again for more); the instance's own if left out",
    )
    verify.set_defaults(run=run_verify)


def run_audit_commands(
    settings_class: type[AuditedServiceSettings], arguments: Sequence[str]
) -> int:
    """Run the command line of a service that has no commands but the audit's.

    Args:
        settings_class: The service's.
        arguments: Of the command line.

    Returns:
        See `run_command`.
    """
    parser = ArgumentParser(
        prog=f"python -m services.{settings_class.service_name()}",
        description="Without a command: run the service.",
    )
    add_audit_command(parser.add_subparsers(required=True))
    return run_command(parser, settings_class, arguments)


async def run_verify(arguments: Namespace, settings: AuditedServiceSettings) -> int:
    """Verify a service's chain; 1 where something was found.

    Tells its progress on stderr and one line of JSON on stdout.
    """
    keys = AuditKeys(KeyRing.from_file(settings.audit_keys_file))
    paths = arguments.checkpoints or [checkpoints_file(settings)]
    service = settings.service_name()
    async with open_mongo(settings) as database:
        verdict = await verify_chain(
            service,
            MongoChainStore(database),
            keys,
            read_checkpoints(paths),
            tell=Progress(SystemClock()),
        )
        trail = MongoAuditTrail(database, service)
        await trail.record(_entry_of(verdict), None)
    show(
        {
            "is_whole": verdict.is_whole,
            "first_bad_seq": verdict.first_bad_seq,
            **msgspec.to_builtins(verdict),
            "checkpoint_keys": keys.public_keys(),
        }
    )
    return 0 if verdict.is_whole else 1


def _entry_of(verdict: AuditVerdict) -> AuditEntry:
    first = verdict.findings[0] if verdict.findings else None
    return AuditEntry(
        action="audit.verified",
        actor_id="operator",
        result=AuditResult.FAILURE if first else AuditResult.SUCCESS,
        reason=first.kind if first else "",
        details={"head": verdict.head, "first_bad_seq": verdict.first_bad_seq or 0},
    )
