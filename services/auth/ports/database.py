"""The transaction that a write takes part in."""

from typing import Any

DatabaseSession = Any
"""The session of a transaction (pymongo's AsyncClientSession), or None outside one."""
