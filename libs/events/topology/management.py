"""The broker's management API, as far as an administrator's step needs it."""

import asyncio
import base64
import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

_SECONDS = 10.0


class ManagementError(Exception):
    """The management API refused a call or did not answer.

    Attributes:
        status: HTTP status; 0 without an answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Management:
    """Calls the API for one virtual host.

    Args:
        url: ``http://<account>@host:port``.
        virtual_host: For example ``/``.
    """

    def __init__(self, url: str, virtual_host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("the management URL must be http or https")
        account = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        token = base64.b64encode(account.encode()).decode()
        self._headers = {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
        }
        port = f":{parts.port}" if parts.port else ""
        self._base = f"{parts.scheme}://{parts.hostname}{port}/api"
        self._host = quote(virtual_host, safe="")

    async def list(self, kind: str) -> list[dict[str, Any]]:
        """Return all exchanges, queues, bindings, policies or permissions here."""
        if kind == "permissions":
            found = await self._call("GET", f"vhosts/{self._host}/permissions")
        else:
            found = await self._call("GET", f"{kind}/{self._host}")
        return list(found)

    async def put(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """Create or replace a policy or the permissions of a user."""
        await self._call("PUT", f"{kind}/{self._host}/{quote(name, safe='')}", body)

    async def unbind(self, binding: dict[str, Any]) -> None:
        """Remove one binding, as `list` returned it."""
        source = quote(binding["source"], safe="")
        target = quote(binding["destination"], safe="")
        key = quote(binding["properties_key"], safe="")
        await self._call("DELETE", f"bindings/{self._host}/e/{source}/q/{target}/{key}")

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        return await asyncio.to_thread(self._call_blocking, method, path, body)

    def _call_blocking(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> Any:  # noqa: ANN401 - JSON
        request = Request(  # noqa: S310 - the scheme was checked
            f"{self._base}/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers=self._headers,
            method=method,
        )
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                content = answer.read()
        except HTTPError as err:
            with err:
                text = err.read().decode(errors="replace")[:300]
            raise ManagementError(err.code, f"{method} {path}: {text}") from err
        except (URLError, TimeoutError, OSError) as err:
            raise ManagementError(0, f"{method} {path}: {err}") from err
        return json.loads(content) if content else None
