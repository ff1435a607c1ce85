"""The command line of backup and restore."""

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from libs.backup.errors import BackupDamagedError
from libs.backup.folder import BackupFolder
from libs.backup.keys import check_keys, copy_keys
from libs.backup.manifest import FullBackup
from libs.backup.moments import moment_of, shown
from libs.backup.objects import ObjectCopies, put_objects_back
from libs.backup.planning import Plan, covered, plan_for
from libs.backup.restoring import Restoring
from libs.backup.retention import prune
from libs.backup.server import open_client
from libs.backup.settings import BackupSettings
from libs.backup.store import open_bucket
from libs.backup.taking import Taking
from libs.backup.telling import note_finished
from libs.chassis.errors import StartError
from libs.chassis.progress import Progress, show
from libs.chassis.settings import load_plain
from libs.kernel import AppError, SystemClock

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

_FAILED = 2
_INTERRUPTED = 130
_REMOVED = ("full", "segments", "listings", "objects")
_CLOCK = SystemClock()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 2 refused or failed with a line on stderr, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options, load_plain(BackupSettings))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (AppError, StartError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return _FAILED
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m libs.backup", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, text in (
        ("full", _full, "back up everything at one moment, and remove what is too old"),
        ("segment", _segment, "add what came since, from the oplog"),
        ("list", _list, "show the backups, and to which moments they lead"),
        ("prune", _prune, "remove what is older than is to be kept"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    _add_restore(commands)
    _add_keys(commands)
    return parser


def _add_restore(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify", help="read every file that a restore would need"
    )
    verify.set_defaults(run=_verify)
    parser = commands.add_parser(
        "restore", help="make databases and objects what they were"
    )
    parser.set_defaults(run=_restore)
    for one in (verify, parser):
        one.add_argument(
            "--at", metavar="MOMENT", help="a time with its zone; the last if left out"
        )
    parser.add_argument(
        "--replace", action="store_true", help="throw away what the databases hold"
    )
    parser.add_argument(
        "--rename",
        metavar="PREFIX",
        help="restore beside: names of databases begin so, objects are left alone",
    )


def _add_keys(commands: Commands) -> None:
    parser = commands.add_parser(
        "keys", help="copy the secrets to a place of their own"
    )
    parser.add_argument("secrets", type=Path, help="the folder that holds them")
    parser.add_argument("keys", type=Path, help="where the copy goes")
    parser.set_defaults(run=_keys)


@contextmanager
def _taking(settings: BackupSettings) -> Iterator[Taking]:
    folder, tell = BackupFolder(settings.folder), Progress(_CLOCK)
    objects = None
    if settings.objects != "none":
        is_copying = settings.objects == "copy"
        objects = ObjectCopies(open_bucket(settings), folder, is_copying, tell)
    with open_client(settings.mongo_url.get_secret_value()) as client:
        yield Taking(client, folder, settings.prefix, objects, _CLOCK, tell)


def _full(_: Namespace, settings: BackupSettings) -> None:
    with _taking(settings) as taking:
        taken = taking.take_full()
    _note(settings, "full", sum(size for _, size in _sizes(taken)))
    show({**_summary(taken), "removed": _pruned(settings)})


def _segment(_: Namespace, settings: BackupSettings) -> None:
    with _taking(settings) as taking:
        segment = taking.take_segment()
    _note(settings, "segment", segment.file.size_bytes)
    show(
        {
            "after": shown(segment.begin),
            "until": shown(segment.end),
            "entries": segment.file.documents,
            "bytes": segment.file.size_bytes,
        }
    )


def _list(_: Namespace, settings: BackupSettings) -> None:
    folder = BackupFolder(settings.folder)
    for path, full in folder.full_backups().whole:
        show({"full": path.parent.name, **_summary(full)})
    _tell_damaged([one.error for one in folder.damaged()])
    first, last = covered(folder)
    show({"from": shown(first), "to": shown(last)})


def _prune(_: Namespace, settings: BackupSettings) -> None:
    show({"removed": _pruned(settings)})


def _pruned(settings: BackupSettings) -> dict[str, int]:
    folder, keep = BackupFolder(settings.folder), timedelta(days=settings.keep_days)
    pruned = prune(folder, keep)
    _tell_damaged(pruned.damaged)
    return {name: getattr(pruned, name) for name in _REMOVED}


def _tell_damaged(errors: list[BackupDamagedError]) -> None:
    for one in errors:
        print(f"damaged: {one.file}: {one.reason}", file=sys.stderr)  # noqa: T201 - a command line


def _plan(options: Namespace, settings: BackupSettings) -> Plan:
    point = moment_of(options.at) if options.at else None
    folder = BackupFolder(settings.folder)
    _tell_damaged([one.error for one in folder.full_backups().damaged])
    return plan_for(folder, point)


def _verify(options: Namespace, settings: BackupSettings) -> None:
    """Read what a restore would need; fail for anything else that is damaged, too."""
    plan = _plan(options, settings)
    plan.check(Progress(_CLOCK))
    show({"is_whole": True, **_summary(plan.full), "until": shown(plan.until)})
    for one in plan.folder.damaged():
        raise one.error


def _restore(options: Namespace, settings: BackupSettings) -> None:
    plan, tell = _plan(options, settings), Progress(_CLOCK)
    prefix = plan.full.prefix if options.rename is None else options.rename
    url = settings.mongo_url.get_secret_value()
    with open_client(url, is_restoring=True) as client:
        restoring = Restoring(client, plan, prefix, _CLOCK, tell)
        done = asdict(restoring.run(is_replacing=options.replace))
    if plan.listing is not None and options.rename is None:
        bucket = open_bucket(settings)
        put = put_objects_back(bucket, plan.folder, plan.listing, tell)
        done["objects"] = put
    show({"until": shown(plan.until), **done})


def _keys(options: Namespace, settings: BackupSettings) -> None:
    names = copy_keys(options.secrets, options.keys, settings.folder)
    check_keys(options.keys)
    show({"keys": len(names), "in": str(options.keys)})


def _sizes(full: FullBackup) -> Iterator[tuple[int, int]]:
    for entry in full.collections:
        if entry.file is not None:
            yield entry.file.documents, entry.file.size_bytes


def _summary(full: FullBackup) -> dict[str, object]:
    sizes = list(_sizes(full))
    return {
        "at": shown(full.moment),
        "collections": len(full.collections),
        "documents": sum(documents for documents, _ in sizes),
        "bytes": sum(size for _, size in sizes),
        "objects": full.objects.file.documents if full.objects else None,
        "seconds": full.seconds,
    }


def _note(settings: BackupSettings, kind: str, size_bytes: int) -> None:
    if settings.metrics_folder is not None:
        note_finished(settings.metrics_folder, kind, size_bytes, _CLOCK)
