"""What a token can be restricted to: the whole vocabulary, for auth and the gateway.

A scope opens routes, not objects: a token with it may do there what its user may do.
Routes of an account's security have none, so no restricted token reaches them.
"""

from typing import Final

SCOPES: Final = frozenset(
    {
        "admin",
        "conversations:read",
        "conversations:write",
        "files:read",
        "files:write",
        "notifications:read",
        "notifications:write",
        "profile:read",
        "profile:write",
        "projects:read",
        "projects:write",
    }
)
SOCKET_SCOPES: Final = frozenset({"conversations:read", "conversations:write"})
"""A socket reads and writes; a token for one has both."""
