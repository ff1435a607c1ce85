"""Rules of the installation that administrators change, in MongoDB."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from services.auth.domain import SecondFactorPolicy
from services.auth.ports import DatabaseSession

_SECOND_FACTOR = "second_factor"


class MongoSecondFactorPolicyRepository:
    """Collection ``policies``: ``_id`` is what the rule is about."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._policies = database["policies"]

    async def get(self, session: DatabaseSession) -> SecondFactorPolicy | None:
        """Return the policy; see `SecondFactorPolicyRepository.get`."""
        with driver_errors(session):
            document = await self._policies.find_one(
                {"_id": _SECOND_FACTOR}, session=session
            )
        if document is None:
            return None
        return SecondFactorPolicy(frozenset(document["roles"]), document["changed_at"])

    async def put(self, policy: SecondFactorPolicy, session: DatabaseSession) -> None:
        """Store a policy in place of the one before."""
        document = {"roles": sorted(policy.roles), "changed_at": policy.changed_at}
        with driver_errors(session):
            await self._policies.replace_one(
                {"_id": _SECOND_FACTOR}, document, upsert=True, session=session
            )
