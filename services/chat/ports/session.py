"""Where conversations, members, messages and users are kept.

A ``session`` is the opaque object of `libs.events.Transaction`: it is handed from
the bus to the repositories and never looked at in between.
"""

from typing import Any

Session = Any
"""pymongo's AsyncClientSession on the real store; the core cannot know it."""
