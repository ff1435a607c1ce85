"""A real OpenID provider as an auth process of a test's own is told of it."""

import json
import secrets
import socket
from contextlib import closing

NAME = "Node"
PROVIDER_ID = "node"
OIDC = f"/api/v1/auth/oidc/{PROVIDER_ID}"


def free_port():
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ProviderRig:
    """Where the provider listens, and what both sides know of each other."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._secret = secrets.token_urlsafe(24)

    def settings(self):
        """Return auth's settings; writes the files that they name."""
        secret_file = self._folder / "client-secret"
        secret_file.write_text(self._secret)
        secret_file.chmod(0o600)
        entry = {
            "id": PROVIDER_ID,
            "name": NAME,
            "issuer": self.url,
            "client_id": "parley",
            "client_secret_file": str(secret_file),
            "allows_registration": True,
            "mail_domains": ["acme.test"],
        }
        providers = self._folder / "providers.json"
        providers.write_text(json.dumps({"providers": [entry]}))
        return {"AUTH_OIDC_PROVIDERS_FILE": str(providers)}

    def given(self, origin, logout_base):
        """Return what ``provider.mjs`` is told."""
        return {
            "port": self.port,
            "client_secret": self._secret,
            "redirect_uri": f"{origin}{OIDC}/callback",
            "logout_uri": f"{logout_base}/api/v1/auth/backchannel-logout/{PROVIDER_ID}",
        }
