"""HTTP/1.1 towards the edge, in the event loop's own thread (ADR 0068)."""

from services.gateway.proxy.front.listener import FrontServer

__all__ = ["FrontServer"]
