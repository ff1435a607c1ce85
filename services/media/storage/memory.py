"""Bytes in a dictionary: the store of tests, with the same promises."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from libs.kernel import UnavailableError
from services.media.ports import StoredObject, UploadTicket


class MemoryObjectStore:
    """The `ObjectStore` without a network.

    Attributes:
        objects: Bytes and content type by key.
        is_down: Set it to make every call but the signing ones fail.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.is_down = False

    async def sign_upload(
        self, key: str, *, content_type: str, size_bytes: int, lifetime: timedelta
    ) -> UploadTicket:
        """Return a ticket that `put_by_ticket` takes."""
        seconds = int(lifetime.total_seconds())
        url = f"memory:{key}?size={size_bytes}&expires={seconds}"
        return UploadTicket(
            "PUT", url, {"Content-Type": content_type, "If-None-Match": "*"}
        )

    async def sign_download(
        self, key: str, *, content_type: str, disposition: str, lifetime: timedelta
    ) -> str:
        """Return a URL that names the key; nothing listens behind it."""
        seconds = int(lifetime.total_seconds())
        return f"memory:{key}?type={content_type}&as={disposition}&expires={seconds}"

    def put_by_ticket(self, ticket: UploadTicket, content: bytes) -> bool:
        """Do what a client does with a ticket; False where the store refuses."""
        key, _, query = ticket.url.removeprefix("memory:").partition("?")
        size = int(query.partition("&")[0].removeprefix("size="))
        if key in self.objects or len(content) != size:
            return False
        self.objects[key] = (content, ticket.headers["Content-Type"])
        return True

    async def stat(self, key: str) -> StoredObject | None:
        """Return what lies under a key, or None."""
        self._require_up()
        if key not in self.objects:
            return None
        content, content_type = self.objects[key]
        return StoredObject(len(content), content_type)

    async def download(self, key: str, target: Path, *, max_bytes: int) -> bool:
        """Write an object into a file; see `ObjectStore.download`."""
        self._require_up()
        content, _ = self.objects.get(key, (b"", ""))
        if key not in self.objects or len(content) > max_bytes:
            return False
        await asyncio.to_thread(target.write_bytes, content)
        return True

    async def upload(self, key: str, source: Path, *, content_type: str) -> None:
        """Store a file under a key, over what was there."""
        self._require_up()
        content = await asyncio.to_thread(source.read_bytes)
        self.objects[key] = (content, content_type)

    async def blank(self, key: str) -> None:
        """Put an empty object there."""
        self._require_up()
        self.objects[key] = (b"", "application/octet-stream")

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        self._require_up()
        for key in keys:
            self.objects.pop(key, None)

    async def ping(self) -> None:
        """Fail while it is down."""
        self._require_up()

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError(
                "store_unavailable", "The object store does not answer."
            )
