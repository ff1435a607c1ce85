"""A replica set's way from empty servers to accounts; safe to repeat at any point."""

from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded.passwords import ADMIN, BACKUP, STORES, Passwords
from deploy.embedded.readiness import NotReadyError
from libs.chassis.audit.rights import audit_database_of, prepare_audit

REPLICA_SET = "rs0"
_AUTHENTICATION_FAILED = 18
_UNAUTHORIZED = 13


@dataclass(frozen=True)
class ReplicaSet:
    """Its members, and the door by which the first accounts are made.

    Attributes:
        door: host:port of the first member, on loopback: there mongod takes the first
            administrator without a password.
        members: host:port of each member, as members and clients reach it.
        passwords: Those of its accounts.
    """

    door: str
    members: tuple[str, ...]
    passwords: Passwords

    def administrator_url(self) -> str:
        """Return the administrator's connection string, for the first member alone."""
        return self.whole_url(ADMIN)

    def whole_url(self, user: str) -> str:
        """Return that of an account on all databases, for the first member alone."""
        password = self.passwords.of("mongodb", user)
        return (
            f"mongodb://{user}:{password}@{self.door}/"
            "?directConnection=true&authSource=admin"
        )

    def _writing_url(self) -> str:
        """Return the administrator's connection string to whoever is primary."""
        if len(self.members) == 1:
            return self.administrator_url()
        password = self.passwords.of("mongodb", ADMIN)
        return (
            f"mongodb://{ADMIN}:{password}@{','.join(self.members)}/"
            f"?replicaSet={REPLICA_SET}&authSource=admin"
        )

    async def check(self) -> None:
        """Pass if the administrator can sign in and there is a primary.

        Raises:
            NotReadyError: There is none.
        """
        async with _client(self._writing_url()) as client:
            hello = await client.admin.command("hello")
            if not hello.get("isWritablePrimary"):
                raise NotReadyError("mongod is not primary")

    async def settle(self) -> None:
        """Bring up the set, and every account of the house.

        The first steps go through mongod's localhost exception, which ends by itself
        when the administrator exists.

        Raises:
            NotReadyError: Not yet; what was done stays done.
        """
        try:
            await self._ensure_primary()
            await self._ensure_administrator()
            await self._ensure_members()
            await self._ensure_users()
        except PyMongoError as error:
            raise NotReadyError(str(error)) from error

    async def _ensure_primary(self) -> None:
        async with _client(self._door_url()) as client:
            hello = await client.admin.command("hello")
            if hello.get("isWritablePrimary") or self._has_other_primary(hello):
                if hello.get("me") in self.members:
                    return
                raise NotReadyError("mongod waits for its new address")
            if not hello.get("setName"):
                await self._initiate(client)
            raise NotReadyError("mongod is not yet primary")

    def _has_other_primary(self, hello: dict[str, Any]) -> bool:
        return len(self.members) > 1 and hello.get("primary") in self.members

    async def _initiate(self, client: "AsyncMongoClient[dict[str, Any]]") -> None:
        member = {"_id": 0, "host": self.members[0]}
        configuration = {"_id": REPLICA_SET, "members": [member]}
        try:
            await client.admin.command("replSetInitiate", configuration)
        except OperationFailure as error:
            # A used folder: its accounts exist, its set is known under other ports.
            if error.code != _UNAUTHORIZED:
                raise
            await self._move_member(member)

    async def _move_member(self, member: dict[str, Any]) -> None:
        async with _client(self.administrator_url()) as client:
            answer = await client.admin.command("replSetGetConfig")
            configuration = answer["config"]
            if configuration["members"][0]["host"] == member["host"]:
                return
            configuration["members"] = [configuration["members"][0] | member]
            configuration["version"] += 1
            await client.admin.command("replSetReconfig", configuration, force=True)

    async def _ensure_administrator(self) -> None:
        try:
            await self.check()
        except OperationFailure as error:
            if error.code != _AUTHENTICATION_FAILED:
                raise
            await self._create_administrator()

    async def _create_administrator(self) -> None:
        async with _client(self._door_url()) as client:
            await client.admin.command(
                "createUser",
                ADMIN,
                pwd=self.passwords.of("mongodb", ADMIN),
                roles=["root"],
                mechanisms=["SCRAM-SHA-256"],
            )

    async def _ensure_members(self) -> None:
        """Take in the members that are missing, one at a time, as MongoDB asks."""
        if len(self.members) == 1:
            return
        async with _client(self._writing_url()) as client:
            answer = await client.admin.command("replSetGetConfig")
            configuration = answer["config"]
            known = [member["host"] for member in configuration["members"]]
            missing = [host for host in self.members if host not in known]
            if not missing:
                return
            last = max(member["_id"] for member in configuration["members"])
            configuration["members"].append({"_id": last + 1, "host": missing[0]})
            configuration["version"] += 1
            await client.admin.command("replSetReconfig", configuration)
            raise NotReadyError(f"{missing[0]} joins")

    async def _ensure_users(self) -> None:
        async with _client(self._writing_url()) as client:
            await self._ensure_user(client.admin, BACKUP, [BACKUP])
            for service in STORES:
                database = client[database_of(service)]
                audit = client[audit_database_of(database.name)]
                audit_role = await prepare_audit(audit)
                own = {"role": "readWrite", "db": database.name}
                await self._ensure_user(database, service, [own, audit_role])

    async def _ensure_user(
        self, database: AsyncDatabase[dict[str, Any]], name: str, roles: list[object]
    ) -> None:
        account: dict[str, Any] = {
            "pwd": self.passwords.of("mongodb", name),
            "roles": roles,
            "mechanisms": ["SCRAM-SHA-256"],
        }
        known = await database.command("usersInfo", name)
        verb = "updateUser" if known["users"] else "createUser"
        await database.command(verb, name, **account)

    def _door_url(self) -> str:
        return f"mongodb://{self.door}/?directConnection=true"


def database_of(service: str) -> str:
    """Return the name of a service's database."""
    return f"parley_{service}"


def service_url(members: tuple[str, ...], service: str, password: str) -> str:
    """Return the connection string of a service's own account."""
    database = database_of(service)
    return (
        f"mongodb://{service}:{password}@{','.join(members)}/{database}"
        f"?replicaSet={REPLICA_SET}&authSource={database}"
    )


def _client(url: str) -> "AsyncMongoClient[dict[str, Any]]":
    return AsyncMongoClient(
        url, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, timeoutMS=5000
    )
