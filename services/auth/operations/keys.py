"""``keys status|rotate|remove|renew``: the keys that sign access tokens.

The running processes read the file again by themselves, within a second.
"""

import json
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

from libs.crypto import SigningKey
from libs.kernel import SystemClock, new_id
from services.auth.domain import (
    KeySchedule,
    ScheduledKey,
)
from services.auth.repository.signing_keys import (
    locked,
    read_schedule,
    write_schedule,
)
from services.auth.settings import AuthSettings


async def status(_: Namespace, settings: AuthSettings) -> int:
    """Show each key and what it is for now."""
    return _show(read_schedule(settings.signing_keys_file))


async def rotate(_: Namespace, settings: AuthSettings) -> int:
    """Add a key, published now and signing in five minutes."""
    path = settings.signing_keys_file
    with locked(path):
        return _store(path, read_schedule(path).rotated(_new_key(), _now()))


async def remove(arguments: Namespace, settings: AuthSettings) -> int:
    """Take a key away; what it signed is refused everywhere within a minute."""
    path = settings.signing_keys_file
    with locked(path):
        kept = read_schedule(path).without(arguments.kid, _new_key(), _now())
        return _store(path, kept)


async def renew(_: Namespace, settings: AuthSettings) -> int:
    """Replace every key: no access token of before is taken anywhere any more."""
    path = settings.signing_keys_file
    with locked(path):
        schedule = read_schedule(path)
        for one in schedule.keys:
            schedule = schedule.without(one.key.kid, _new_key(), _now())
        return _store(path, schedule)


def add_keys_command(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add ``keys`` to a command line."""
    actions = commands.add_parser(
        "keys", help="signing keys of access tokens"
    ).add_subparsers(required=True)
    actions.add_parser("status", help="which signs, which wait").set_defaults(
        run=status
    )
    actions.add_parser("rotate", help="add a key that signs in 5 minutes").set_defaults(
        run=rotate
    )
    remove_parser = actions.add_parser("remove", help="distrust a key at once")
    remove_parser.add_argument("kid", help="its id")
    remove_parser.set_defaults(run=remove)
    actions.add_parser("renew", help="distrust every key at once").set_defaults(
        run=renew
    )


def _store(path: Path, schedule: KeySchedule) -> int:
    write_schedule(path, schedule, _now())
    return _show(schedule)


def _show(schedule: KeySchedule) -> int:
    now = _now()
    signing = schedule.signing_at(now)
    found = [_row(schedule, one, signing, now) for one in schedule.keys]
    print(json.dumps({"keys": found}))  # noqa: T201 - a command line
    return 0


def _row(
    schedule: KeySchedule, one: ScheduledKey, signing: SigningKey, now: int
) -> dict[str, Any]:
    if one.key is signing:
        state = "signs"
    elif one.use_from is not None and one.use_from > now:
        state = "waits"
    else:
        state = "retired" if schedule.is_retired(one, now) else "published"
    return {"kid": one.key.kid, "state": state, "use_from": one.use_from}


def _new_key() -> SigningKey:
    return SigningKey.generate(new_id())


def _now() -> int:
    return int(SystemClock().now().timestamp())
