"""HTTP out: OpenID providers."""

from services.auth.clients.outbound import Outbound
from services.auth.clients.provider import HttpProviderClient

__all__ = ["HttpProviderClient", "Outbound"]
