"""``erasures list|retry``: deleted accounts that services have not erased yet."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from typing import Any, TypeAlias

from libs.chassis.audit.mongo import MongoAuditTrail
from libs.chassis.progress import show
from libs.kernel import SystemClock, UserId
from services.auth.domain.erasure import Erasure
from services.auth.operations.opening import Opened, open_stores
from services.auth.service import ErasureRetelling
from services.auth.settings import AuthSettings

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

_LISTED_MAX = 1_000


def add_erasures_command(commands: Commands) -> None:
    """Add ``erasures list`` and ``erasures retry`` to the command line."""
    parser = commands.add_parser("erasures", help="deleted accounts")
    actions = parser.add_subparsers(required=True)
    listing = actions.add_parser("list", help="those that wait for a service")
    listing.set_defaults(run=list_waiting)
    retrying = actions.add_parser("retry", help="tell the services once more")
    retrying.add_argument("user_id", nargs="?", help="of this one; all if left out")
    retrying.set_defaults(run=retry)


async def list_waiting(_: Namespace, settings: AuthSettings) -> int:
    """Show whose erasure is not complete; exit code 1 where there is one."""
    async with open_stores(settings) as opened:
        found = await opened.erasures.page(
            is_complete=False, after=None, limit=_LISTED_MAX
        )
    show({"erasures": [_row(erasure) for erasure in found]})
    return 1 if found else 0


async def retry(arguments: Namespace, settings: AuthSettings) -> int:
    """Emit user.deleted again; it is harmless for who has erased already."""
    async with open_stores(settings) as opened:
        retelling = _retelling(opened)
        if arguments.user_id is None:
            told = await retelling.retell_all()
        else:
            told = [UserId(arguments.user_id)]
            await retelling.retell(told[0])
    show({"told": told})
    return 0


def _retelling(opened: Opened) -> ErasureRetelling:
    audit = MongoAuditTrail(opened.database, "auth")
    return ErasureRetelling(opened.bus, opened.erasures, audit, SystemClock())


def _row(erasure: Erasure) -> dict[str, Any]:
    return {
        "user_id": erasure.user_id,
        "erased_at": erasure.erased_at.isoformat(),
        "told_at": erasure.told_at.isoformat(),
        "missing": list(erasure.missing),
    }
