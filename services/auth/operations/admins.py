"""``admin appoint`` and ``admin list``: the way in when there is no admin (yet)."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from typing import TypeAlias

from libs.chassis.audit.mongo import MongoAuditTrail
from libs.chassis.progress import show
from libs.kernel import SystemClock
from services.auth.domain import (
    Role,
    UserFilter,
)
from services.auth.operations.opening import open_stores
from services.auth.repository import MongoUserRegister
from services.auth.service import Appointment
from services.auth.settings import AuthSettings

Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

_LISTED_MAX = 1_000


def add_admin_command(commands: Commands) -> None:
    """Add ``admin appoint`` and ``admin list`` to the command line."""
    parser = commands.add_parser("admin", help="who administrates")
    actions = parser.add_subparsers(required=True)
    appointing = actions.add_parser("appoint", help="make an active account an admin")
    appointing.add_argument("email", help="its mail address")
    appointing.set_defaults(run=appoint)
    listing = actions.add_parser("list", help="ids, names and statuses of the admins")
    listing.set_defaults(run=list_admins)


async def appoint(arguments: Namespace, settings: AuthSettings) -> int:
    """Make an active account an admin; idempotent, recorded in the audit."""
    async with open_stores(settings) as opened:
        appointment = Appointment(
            opened.bus,
            opened.users,
            MongoAuditTrail(opened.database, "auth"),
            SystemClock(),
        )
        admin = await appointment.appoint(arguments.email)
    show({"user_id": admin.user_id, "roles": admin.roles})
    return 0


async def list_admins(_: Namespace, settings: AuthSettings) -> int:
    """Show who has the role, whatever the account's status."""
    async with open_stores(settings) as opened:
        register = MongoUserRegister(opened.database, opened.users)
        wanted = UserFilter(role=Role.ADMIN)
        found = await register.find(wanted, after=None, limit=_LISTED_MAX)
    admins = [
        {
            "user_id": user.user_id,
            "display_name": user.display_name,
            "status": user.status.value,
        }
        for user in found
    ]
    show({"admins": admins})
    return 0 if any(user.may_sign_in for user in found) else 1
