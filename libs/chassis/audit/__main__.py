"""``python -m libs.chassis.audit prepare DATABASE ...``: an administrator's step.

Makes the audit of each database named: collections, indexes, and the role that its
service's account is to be granted. Reads ``AUDIT_ADMIN_MONGO_URL``, or the file of that
name in the folder of secrets. Safe to repeat.
"""

import asyncio
import sys
from argparse import ArgumentParser
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from libs.chassis.audit.rights import audit_database_of, prepare_audit
from libs.chassis.errors import StartError
from libs.chassis.progress import show
from libs.chassis.settings import load_plain

_SECONDS = 30


class AuditAdminSettings(BaseSettings):
    """What the step is told."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", hide_input_in_errors=True)

    admin_mongo_url: SecretStr = Field(
        description="MongoDB connection string of an administrator."
    )


async def prepare(settings: AuditAdminSettings, databases: list[str]) -> None:
    """Prepare the audit of each database, one after the other."""
    url = settings.admin_mongo_url.get_secret_value()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    async with asyncio.timeout(_SECONDS), client:
        for name in databases:
            role = await prepare_audit(client[audit_database_of(name)])
            show({"database": name, "role": role["role"], "of": role["db"]})


def main(arguments: list[str] | None = None) -> int:
    """Run the step; return 0 when it is done, 2 when it failed."""
    parser = ArgumentParser(prog="python -m libs.chassis.audit", description=__doc__)
    parser.add_argument("action", choices=("prepare",))
    parser.add_argument("databases", nargs="+", metavar="DATABASE")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(prepare(load_plain(AuditAdminSettings), options.databases))
    except (StartError, PyMongoError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
