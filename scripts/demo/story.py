"""The story: each chapter is a function, each step is printed with its latency."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.kernel import new_id
from scripts.demo.client import ApiError, Json, Person
from scripts.demo.house import House, wait_for
from scripts.demo.picture import draw_picture

LINES = (
    "Good morning! Is the engine warm?",
    "It is. Shall we compute the Bernoulli numbers?",
    "Gladly. I have the cards here.",
    "Then let us begin with the seventh.",
)
MISSED_LINES = (
    "You are gone, but the engine goes on.",
    "Come and look: the seventh number is out!",
)


class Story:
    """Two people, a project, a group, a picture, a push, a mail.

    Args:
        house: The running stack.
        run: Makes addresses and handles of this telling its own.
    """

    def __init__(self, house: House, run: str = "") -> None:
        self.house = house
        self.run = run or secrets.token_hex(4)
        self.ada = self._person("Ada")
        self.grace = self._person("Grace")
        self.group_id = ""
        self.project_id = ""
        self.document_id = ""
        self.device_token = f"demo-phone-{self.run}-{secrets.token_hex(16)}"
        self.seen: Json = {}
        self.steps: list[tuple[str, float]] = []

    def _person(self, name: str) -> Person:
        handle = f"{name.lower()}-{self.run}"
        return Person(
            self.house.edge_url,
            f"{handle}@example.org",
            f"correct horse {secrets.token_urlsafe(9)}",
            name,
            self.house.ca_file,
        )

    async def tell(self) -> None:
        """Play every chapter in order; raises at the first step that fails."""
        async with self.ada, self.grace:
            for person in (self.ada, self.grace):
                await self.join(person)
            await self.open_project()
            await self.open_group()
            await self.share_picture()
            await self.talk_live()
            await self.go_away_and_be_reached()
            await self.come_back()

    async def join(self, person: Person) -> None:
        """Register, verify by the mail that arrived, sign in, choose a handle."""
        async with self._step(f"{person.name} registers"):
            await person.register()
        async with self._step(f"{person.name} gets the verification mail"):
            token = await self.house.verification_token(person.email)
        async with self._step(f"{person.name} verifies and signs in"):
            await person.verify(token)
            await person.sign_in()
        async with self._step(f"{person.name} chooses a handle"):
            handle = f"{person.name.lower()}-{self.run}"
            await person.call("PUT", "me/handle", {"handle": handle})
        async with self._step(f"{person.name} gets the welcome mail"):
            await wait_for(lambda: self._mails(person, 2), "welcome mail")

    async def open_project(self) -> None:
        """A project brings its general channel and its collaborators by events."""
        async with self._step("Ada opens a project"):
            project = await self.ada.call(
                "POST", "projects", {"name": "Analytical Engine"}
            )
            self.project_id = project["project_id"]
        async with self._step("Ada adds Grace as a collaborator"):
            await self._patiently(
                self.ada,
                "POST",
                f"projects/{self.project_id}/collaborators",
                {"user_id": self.grace.user_id, "role": "collaborator"},
            )
        async with self._step("its channel 'general' appears for both, by events"):
            for person in (self.ada, self.grace):
                await wait_for(
                    lambda person=person: self._project_channel(person),
                    f"channel general for {person.name}",
                )

    async def open_group(self) -> None:
        """A group of the two."""
        async with self._step("Ada opens a group with Grace"):
            group = await self._patiently(
                self.ada,
                "POST",
                "conversations",
                {
                    "kind": "group",
                    "title": "Bernoulli",
                    "member_ids": [self.grace.user_id],
                },
            )
            self.group_id = group["conversation_id"]
        async with self._step("both open their sockets and subscribe"):
            for person in (self.ada, self.grace):
                answer = await person.come_online(self.group_id)
                if not answer.get("conversations"):
                    raise LookupError(f"subscribe: {answer}")

    async def share_picture(self) -> None:
        """A picture goes straight to the object store and comes back as a preview."""
        picture = draw_picture()
        async with self._step(f"Ada uploads a picture of {len(picture):,} bytes"):
            upload = await self._patiently(
                self.ada,
                "POST",
                "media/uploads",
                {
                    "file_name": "engine.png",
                    "content_type": "image/png",
                    "size_bytes": len(picture),
                    "conversation_id": self.group_id,
                },
            )
            self.document_id = upload["document_id"]
            await self.ada.put_bytes(upload["upload"], picture)
            await self.ada.call("POST", f"media/uploads/{self.document_id}/complete")
        async with self._step("it is checked and a thumbnail is made"):
            await wait_for(self._document_ready, "processed picture")
        async with self._step("Ada shares it in the group; Grace sees it live"):
            await self._say(self.ada, self.grace, "Look!", [self.document_id])
        async with self._step("Grace opens the thumbnail"):
            link = await self.grace.call(
                "GET", f"media/documents/{self.document_id}/renditions/thumbnail"
            )
            await self.grace.fetch(link["url"])

    async def talk_live(self) -> None:
        """They talk in turn; each line is acknowledged and seen by the other."""
        speakers = (self.ada, self.grace)
        for number, line in enumerate(LINES):
            speaker, listener = speakers[number % 2], speakers[(number + 1) % 2]
            async with self._step(
                f"{speaker.name} says a line; {listener.name} sees it"
            ):
                await self._say(speaker, listener, line)

    async def go_away_and_be_reached(self) -> None:
        """Grace's phone and inbox tell her what she misses."""
        async with self._step("Grace registers her phone and goes away"):
            await self.grace.call(
                "POST",
                "devices",
                {
                    "token": self.device_token,
                    "platform": "android",
                    "name": "Grace's phone",
                },
            )
            self.seen = await self._conversation(self.grace)
            await self.grace.call(
                "PUT",
                f"conversations/{self.group_id}/read",
                {"seq": self.seen["last_seq"]},
            )
            await self.grace.go_away()
        async with self._step("Ada goes on talking"):
            for line in MISSED_LINES:
                await self._send(self.ada, line)
        async with self._step("Grace's phone gets a push"):
            await wait_for(lambda: self.house.pushes_to(self.device_token), "push", 30)
        async with self._step("Grace gets a mail"):
            await wait_for(lambda: self._mails(self.grace, 3), "mail", 30)

    async def come_back(self) -> None:
        """Grace syncs by revision: exactly what she missed, and nothing else."""
        async with self._step("Grace comes back and syncs by revision"):
            await self.grace.come_online(self.group_id)
            changes = await self.grace.call(
                "GET",
                f"conversations/{self.group_id}/changes",
                since=self.seen["revision"],
            )
            texts = [message["text"] for message in changes["messages"]]
            if texts != list(MISSED_LINES):
                raise AssertionError(
                    f"expected {len(MISSED_LINES)} missed, got {texts}"
                )
        async with self._step("she reads; nothing is unread"):
            last = changes["messages"][-1]["seq"]
            await self.grace.emit(
                "receipt.read", {"conversation_id": self.group_id, "seq": last}
            )
            await wait_for(self._all_read, "unread count of 0")

    # --- pieces -----------------------------------------------------------------
    async def _say(
        self,
        speaker: Person,
        listener: Person,
        line: str,
        attachments: list[str] | None = None,
    ) -> None:
        message = await self._send(speaker, line, attachments)
        await listener.wait_live(
            "message.sent",
            conversation_id=self.group_id,
            revision=message["revision"],
        )

    async def _send(
        self, speaker: Person, line: str, attachments: list[str] | None = None
    ) -> Json:
        payload: Json = {
            "conversation_id": self.group_id,
            "client_message_id": new_id(),
            "text": line,
        }
        if attachments:
            payload["attachments"] = attachments
        answer = await speaker.emit("message.send", payload)
        if "error" in answer:
            raise ApiError(400, {"code": answer["error"]["code"]})
        sent: Json = answer["message"]
        return sent

    async def _patiently(
        self, person: Person, method: str, path: str, body: Json
    ) -> Any:  # noqa: ANN401 - the route's JSON
        """Call a route whose service learns of users and members by events.

        A projection may lag a moment behind; the person's app would try again too.
        """

        async def attempt() -> Any:  # noqa: ANN401 - the route's JSON
            try:
                return await person.call(method, path, body)
            except ApiError as error:
                if error.status == 404:  # noqa: PLR2004 - not (yet) known there
                    return None
                raise

        return await wait_for(attempt, path)

    async def _mails(self, person: Person, count: int) -> list[dict[str, Any]] | None:
        mails = await self.house.mails_to(person.email)
        return mails if len(mails) >= count else None

    async def _project_channel(self, person: Person) -> Json | None:
        page = await person.call("GET", "conversations")
        for conversation in page["items"]:
            if conversation["project_id"] == self.project_id:
                found: Json = conversation
                return found
        return None

    async def _conversation(self, person: Person) -> Json:
        found: Json = await person.call("GET", f"conversations/{self.group_id}")
        return found

    async def _document_ready(self) -> bool:
        document = await self.ada.call("GET", f"media/documents/{self.document_id}")
        if document["status"] == "rejected":
            raise AssertionError("the picture was rejected")
        return bool(document["status"] == "ready")

    async def _all_read(self) -> bool:
        conversation = await self._conversation(self.grace)
        return bool(conversation["unread"] == 0)

    @asynccontextmanager
    async def _step(self, what: str) -> AsyncIterator[None]:
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            print(f"  \033[31m✗\033[0m {what}")
            raise
        milliseconds = (time.perf_counter() - started) * 1000
        self.steps.append((what, milliseconds))
        print(f"  \033[32m✓\033[0m {what:<58} {milliseconds:9.1f} ms", flush=True)
        await asyncio.sleep(0)
