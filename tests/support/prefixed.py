"""A part of a database that one test has for itself."""

from typing import Any

from libs.kernel import new_id


class Prefixed:
    """A database whose collections carry a prefix: chat's account owns but one."""

    def __init__(self, database) -> None:
        self._database = database
        self._prefix = f"test_{new_id()[-12:]}_"

    @property
    def client(self):
        """The client of the whole."""
        return self._database.client

    def __getitem__(self, name: str):
        return self._database[self._prefix + name]

    async def command(self, name: str, collection: str, **more: Any) -> Any:
        """Run a command on one of the own collections."""
        return await self._database.command(name, self._prefix + collection, **more)

    async def drop(self) -> None:
        """Leave nothing behind."""
        for name in await self._database.list_collection_names():
            if name.startswith(self._prefix):
                await self._database.drop_collection(name)
