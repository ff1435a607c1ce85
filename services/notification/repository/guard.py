"""Order-free writes: the newest of several versions stays, whichever comes first."""

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

Database = AsyncDatabase[dict[str, Any]]


def if_newer(
    version_field: str,
    version: object,
    changes: Mapping[str, Any],
    *,
    unless: str | None = None,
) -> list[dict[str, Any]]:
    """Build an update that applies if the stored version is lower or absent.

    A plain filter on the version would make an upsert fail with a duplicate key, and
    that aborts a transaction.

    Args:
        version_field: Where the version is stored; it is set with the changes.
        version: The new version.
        changes: Fields and values; taken literally, never as expressions.
        unless: A boolean field which, where it is true, forbids the change.
    """
    condition: dict[str, Any] = {"$lt": [f"${version_field}", {"$literal": version}]}
    if unless is not None:
        condition = {"$and": [condition, {"$ne": [f"${unless}", True]}]}
    changed = {
        "$mergeObjects": ["$$ROOT", {"$literal": {**changes, version_field: version}}]
    }
    return [{"$replaceWith": {"$cond": [condition, changed, "$$ROOT"]}}]
