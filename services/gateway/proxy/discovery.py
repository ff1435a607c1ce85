"""Keeps the instances of each service up to date with what their names stand for."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import structlog

from services.gateway.domain.instances import Instances

_INTERVAL_SECONDS = 5.0
_DEADLINE_SECONDS = 2.0

logger = structlog.get_logger()


class Discovery:
    """Looks up the addresses of services, again and again.

    A host name becomes an instance for each of its addresses (a Kubernetes headless
    service has one for each pod). What is an address already, or is reached over TLS
    by its name, stays as it is.

    Args:
        urls: As configured, by service.
        instances: What is kept up to date, by service.
    """

    def __init__(
        self, urls: Mapping[str, Sequence[str]], instances: Mapping[str, Instances]
    ) -> None:
        self._urls = {
            service: tuple(found)
            for service, found in urls.items()
            if any(_is_looked_up(url) for url in found)
        }
        self._instances = instances

    async def run(self) -> None:
        """Look everything up every five seconds; the task of a supervisor."""
        while self._urls:
            await self.look_up()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def look_up(self) -> None:
        """Look everything up once; a name that fails keeps what it stood for."""
        for service, urls in self._urls.items():
            try:
                async with asyncio.timeout(_DEADLINE_SECONDS):
                    found = [address for url in urls for address in await _all_of(url)]
            except (OSError, TimeoutError) as error:
                logger.warning(
                    "upstream_not_resolved",
                    upstream=service,
                    error_class=type(error).__name__,
                )
                continue
            instances = self._instances[service]
            if set(found) != set(instances.base_urls):
                instances.replace(found)
                logger.info(
                    "upstream_instances_changed", upstream=service, count=len(found)
                )


async def _all_of(url: str) -> list[str]:
    if not _is_looked_up(url):
        return [url]
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        parts.hostname, parts.port or 80, type=socket.SOCK_STREAM
    )
    addresses = sorted({str(address[0]) for *_, address in found})
    return [_url_of(address, parts.port or 80) for address in addresses]


def _url_of(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}"


def _is_looked_up(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return True
    return False
