"""Work beside the messages: projects, files, accounts, pushes; what was acked."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from libs.kernel import new_id
from scripts.demo.client import ApiError, Json, Person
from scripts.demo.house import House, wait_for
from scripts.demo.picture import draw_picture

NOT_DONE = (ApiError, aiohttp.ClientError, ConnectionError, TimeoutError)
"""An answer that was no, or none: nothing is promised then."""

_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 120.0
_PUSH_SECONDS = 20.0


@dataclass(frozen=True)
class Phone:
    """Somebody's who is never online.

    Attributes:
        token: By which pushes reach it.
        conversation_id: In which its owner is told something.
    """

    token: str
    conversation_id: str


@dataclass
class Errands:
    """One person's errands.

    Attributes:
        house: Where inboxes are looked into.
        person: Who runs them; has signed in.
        phone: A friend's.
        projects: Names by ids.
        files: Ids of documents whose upload was completed.
        accounts: Addresses that were registered.
        pushes: Messages that the phone showed. What it was sent is in the stand-in's
            memory alone, so no push is asked for again.
    """

    house: House
    person: Person
    phone: Phone
    projects: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say how many were acknowledged, for a terminal."""
        return ", ".join(f"{count} {kind}" for kind, count in self.counts().items())

    def counts(self) -> dict[str, int]:
        """Return how many of each kind were acknowledged."""
        kinds = {
            "projects": self.projects,
            "files": self.files,
            "accounts": self.accounts,
            "pushes": self.pushes,
        }
        return {kind: len(done) for kind, done in kinds.items()}

    def runs(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield a loop a kind; each goes on until it is cancelled."""
        for errand in (self._open_project, self._upload, self._register, self._ring):
            yield _again_and_again(errand)

    async def once(self) -> None:
        """Open a project and upload a file, as soon as the house lets one."""
        for errand in (self._open_project, self._upload):
            await wait_for(_done(errand), "an errand", _PATIENCE_SECONDS, 0.3)

    async def missing(self) -> list[str]:
        """Return what was acknowledged and is not there, however long one waits."""
        looks: dict[str, Callable[[], Awaitable[bool]]] = {
            f"project {name}": self._is_project(project_id, name)
            for project_id, name in self.projects.items()
        }
        looks |= {
            f"file {document}": self._is_file(document) for document in self.files
        }
        looks |= {f"mail to {guest}": self._is_mailed(guest) for guest in self.accounts}
        lost = []
        for what, is_there in looks.items():
            try:
                await wait_for(_patient(is_there), what, _PATIENCE_SECONDS, 0.2)
            except TimeoutError:
                lost.append(what)
        return lost

    async def _open_project(self) -> None:
        name = f"Engine {new_id()}"
        project = await self.person.call("POST", "projects", {"name": name})
        self.projects[project["project_id"]] = name

    async def _upload(self) -> None:
        number = len(self.files)
        content = draw_picture(64 + number % 64, 48 + number // 64)
        upload: Json = await self.person.call(
            "POST",
            "media/uploads",
            {
                "file_name": "engine.png",
                "content_type": "image/png",
                "size_bytes": len(content),
            },
        )
        await self.person.put_bytes(upload["upload"], content)
        document_id = upload["document_id"]
        await self.person.call("POST", f"media/uploads/{document_id}/complete")
        self.files.append(document_id)

    async def _register(self) -> None:
        address = f"guest-{new_id()}@example.org"
        words = ("a long enough password", "Guest", self.house.ca_file)
        async with Person(self.house.edge_url, address, *words) as guest:
            await guest.register()
        self.accounts.append(address)

    async def _ring(self) -> None:
        path = f"conversations/{self.phone.conversation_id}/messages"
        body = {"client_message_id": new_id(), "text": "are you there?"}
        sent = await self.person.call("POST", path, body)
        message_id = sent["message"]["message_id"]

        async def look() -> bool:
            shown = await self.house.pushes_to(self.phone.token)
            return any(
                push["message"]["data"]["message_id"] == message_id for push in shown
            )

        await wait_for(_patient(look), "its push", _PUSH_SECONDS, 0.2)
        self.pushes.append(message_id)

    def _is_project(self, project_id: str, name: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            found = await self.person.call("GET", f"projects/{project_id}")
            return bool(found["name"] == name)

        return look

    def _is_file(self, document_id: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            path = f"media/documents/{document_id}"
            if (await self.person.call("GET", path))["status"] != "ready":
                return False
            link = await self.person.call("GET", f"{path}/content")
            return bool(await self.person.fetch(link["url"]))

        return look

    def _is_mailed(self, address: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return bool(await self.house.mails_to(address))

        return look


async def _again_and_again(errand: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(*NOT_DONE):
            await errand()
        await asyncio.sleep(_PAUSE_SECONDS)


def _done(errand: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[bool]]:
    async def attempt() -> bool:
        with contextlib.suppress(*NOT_DONE):
            await errand()
            return True
        return False

    return attempt


def _patient(look: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    async def attempt() -> bool:
        with contextlib.suppress(*NOT_DONE):
            return await look()
        return False

    return attempt
