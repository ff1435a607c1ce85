"""Probes that several programs share: HTTP, TCP, and the word for 'not yet'."""

import asyncio

import aiohttp

from deploy.embedded.layout import HOST

PROBE_SECONDS = 3.0


class NotReadyError(Exception):
    """A program does not answer as it should yet; the text says what it did."""


async def http_ok(url: str) -> None:
    """Pass when a URL answers 2xx.

    Raises:
        NotReadyError: It answers otherwise, or not at all.
    """
    timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url) as response,
        ):
            if not response.ok:
                text = (await response.text())[:200]
                raise NotReadyError(f"{url} answers {response.status}: {text}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NotReadyError(f"{url}: {str(error) or type(error).__name__}") from error


async def tcp_open(port: int) -> None:
    """Pass when something accepts connections on a local port.

    Raises:
        NotReadyError: Nothing does.
    """
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except OSError as error:
        raise NotReadyError(f"port {port}: {error}") from error
    writer.close()
    await writer.wait_closed()
