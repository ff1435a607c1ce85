"""The reverse proxy: raw ASGI in, an aiohttp connection pool out."""

from services.gateway.proxy.handler import Proxy
from services.gateway.proxy.trust import Edge
from services.gateway.proxy.upstream import Upstreams, open_upstreams

__all__ = ["Edge", "Proxy", "Upstreams", "open_upstreams"]
