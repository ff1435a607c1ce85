"""Where the demo finds the running stack: its edge, mail sink and phone service."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")
TOKEN_IN_LINK = re.compile(r"#token=([A-Za-z0-9_.~-]+)")


@dataclass(frozen=True)
class House:
    """Addresses of a running stack, all on loopback.

    Attributes:
        edge_url: The public door.
        mail_url: HTTP view of the SMTP sink: what inboxes received.
        push_url: HTTP view of the FCM stand-in: what phones received.
        broker_url: RabbitMQ's management.
        ca_file: Authority of the edge's certificate, where it is the stack's own.
    """

    edge_url: str
    mail_url: str
    push_url: str
    broker_url: str = ""
    ca_file: str = ""

    async def mails_to(self, address: str) -> list[dict[str, Any]]:
        """Return the mails delivered to an address, oldest first."""
        found: list[dict[str, Any]] = await _get(
            f"{self.mail_url}/mails", {"to": address}, "mails"
        )
        return found

    async def pushes_to(self, device_token: str) -> list[dict[str, Any]]:
        """Return the pushes that reached a device, oldest first."""
        found: list[dict[str, Any]] = await _get(
            f"{self.push_url}/sent", {"token": device_token}, "sent"
        )
        return found

    async def verification_token(self, address: str, within_seconds: float = 15) -> str:
        """Wait for the verification mail and return the token of its link."""

        async def look() -> str | None:
            for mail in await self.mails_to(address):
                if match := TOKEN_IN_LINK.search(mail["text"]):
                    return match[1]
            return None

        return await wait_for(look, f"verification mail to {address}", within_seconds)


async def wait_for(
    look: Callable[[], Awaitable[T | None]],
    what: str,
    within_seconds: float = 15,
    every_seconds: float = 0.05,
) -> T:
    """Ask again and again until there is something; return it.

    Raises:
        TimeoutError: It did not come in time; the message names what.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(every_seconds)
    raise TimeoutError(f"{what} did not come within {within_seconds:g} s")


async def _get(url: str, query: dict[str, str], key: str) -> Any:  # noqa: ANN401 - JSON
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(url, params=query) as answer,
    ):
        answer.raise_for_status()
        content = await answer.json()
        return content[key] if isinstance(content, dict) else content
