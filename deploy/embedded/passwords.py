"""Passwords of every account of a stack, made once and stable from then on."""

import json
import secrets
from pathlib import Path

from deploy.embedded.layout import Stack, write_private

ADMIN = "admin"
BACKUP = "backup"
"""May read every database and change none."""

STORES = ("auth", "project", "chat", "media", "notification")
"""Services with a MongoDB database of their own."""

SERVICES = ("gateway", *STORES)
S3_CLIENTS = ("media",)
SMTP_USER = "notification"

_ACCOUNTS = {
    "mongodb": (ADMIN, BACKUP, *STORES),
    "valkey": (ADMIN, *SERVICES),
    "rabbitmq": (ADMIN, *SERVICES),
    "s3": (ADMIN, *S3_CLIENTS),
    "smtp": (SMTP_USER,),
}


class Passwords:
    """The stack's passwords, 256 bits each, in one file of mode 0600.

    Only `ensure` writes; it is called under the stack's lock.
    """

    def __init__(self, stack: Stack) -> None:
        self._path: Path = stack.secrets / "servers" / "passwords.json"

    def ensure(self) -> None:
        """Make what is missing; never change what is there."""
        known = self._read()
        for server, users in _ACCOUNTS.items():
            of_server = known.setdefault(server, {})
            for user in users:
                of_server.setdefault(user, secrets.token_urlsafe(32))
        write_private(self._path, json.dumps(known, indent=1))

    def of(self, server: str, user: str) -> str:
        """Return a password.

        Raises:
            KeyError: There is no such account.
        """
        return self._read()[server][user]

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            known: dict[str, dict[str, str]] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        return known
