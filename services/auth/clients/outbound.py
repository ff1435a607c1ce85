"""Requests to strangers: bounded in time and size, never led elsewhere (NO-1, SS-1).

Addresses come from the installation's settings, or from a provider's own description
and then only on hosts that the settings allow (`Provider.may_ask`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import structlog

from libs.chassis.payloads import JsonLimits, parse_json
from libs.kernel import InvalidError
from services.auth.domain.errors import ProviderUnavailableError

SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_LIMITS = JsonLimits(body_bytes=256 * 1024, depth=16, names=500, brackets=5_000)
_CONNECTIONS = 20
_log = structlog.get_logger(__name__)


class Outbound:
    """One pool of connections to every provider.

    No redirect is followed, no cookie kept, no proxy of the environment used, nothing
    decompressed.

    Args:
        session: The pool.
        seconds: From the question to the last byte of the answer.
    """

    def __init__(self, session: aiohttp.ClientSession, seconds: float) -> None:
        self._session = session
        self._seconds = seconds

    @classmethod
    @asynccontextmanager
    async def opened(cls, seconds: float = SECONDS) -> "AsyncIterator[Outbound]":
        """Open the pool until the block is left."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, limit_per_host=5),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield cls(session, seconds)

    async def ask(
        self,
        address: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, object]:
        """Return status and JSON of a GET, or of a POST where there is a form.

        Raises:
            ProviderUnavailableError: No answer in time, a redirect, more than 256 KiB,
                or no strict JSON.
        """
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.request(
                    "GET" if form is None else "POST",
                    address,
                    data=form,
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                    }
                    | dict(headers or {}),
                    allow_redirects=False,
                ) as response,
            ):
                return response.status, parse_json(await _body(response), _LIMITS)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = type(error).__name__
        except InvalidError:
            reason = "json"
        _log.warning("provider_not_answered", reason=reason)
        raise ProviderUnavailableError


async def _body(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LIMITS.body_bytes:
            raise InvalidError("answer_too_large", "The answer is too large.")
    return b"".join(parts)
