"""The reverse proxy: raw ASGI in, kept connections to the services out."""

from services.gateway.proxy.discovery import Discovery
from services.gateway.proxy.handler import Proxy
from services.gateway.proxy.measures import gateway_replicas, under_way
from services.gateway.proxy.trust import Edge
from services.gateway.proxy.upstream import Upstreams, open_upstreams

__all__ = [
    "Discovery",
    "Edge",
    "Proxy",
    "Upstreams",
    "gateway_replicas",
    "open_upstreams",
    "under_way",
]
