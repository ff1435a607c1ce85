"""What an administrator makes once: collections, indexes, and an account's rights.

The service cannot make them itself: who may make an index may also make one that
lets documents expire.
"""

from contextlib import suppress
from typing import Any, Final

from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid

RECORDS: Final = "records"
CHAIN: Final = "chain"
PENDING: Final = "pending"
ROLE: Final = "audit_writer"

_RIGHTS = {
    RECORDS: ("insert", "find"),
    CHAIN: ("insert", "find"),
    PENDING: ("insert", "find", "remove"),
}
_INDEXES = {
    RECORDS: (
        IndexModel([("actor_id", 1), ("_id", 1)], name="actor"),
        IndexModel([("target_id", 1), ("_id", 1)], name="target"),
    ),
    CHAIN: (IndexModel("record_id", name="record", unique=True),),
    PENDING: (),
}


def audit_database_of(database: str) -> str:
    """Return the name of the database that holds a service's audit."""
    return f"{database}_audit"


async def prepare_audit(database: AsyncDatabase[dict[str, Any]]) -> dict[str, str]:
    """Make collections, indexes and role of a service's audit; idempotent.

    Args:
        database: The audit's, opened as an administrator.

    Returns:
        The role to grant to the service's account: insert and find of records and
        chain, and the waiting list.
    """
    for name, indexes in _INDEXES.items():
        with suppress(CollectionInvalid):  # it is there
            await database.create_collection(name)
        if indexes:
            await database[name].create_indexes(list(indexes))
    privileges = [
        {
            "resource": {"db": database.name, "collection": name},
            "actions": list(actions),
        }
        for name, actions in _RIGHTS.items()
    ]
    known = await database.command("rolesInfo", ROLE)
    verb = "updateRole" if known["roles"] else "createRole"
    await database.command(verb, ROLE, privileges=privileges, roles=[])
    return {"role": ROLE, "db": database.name}
