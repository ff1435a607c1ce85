"""The rate limits of routes, by kind."""

import math
from dataclasses import dataclass
from functools import lru_cache

from libs.kernel.rates import Decision, Limit


@dataclass(frozen=True)
class LimitClass:
    """The limits of one kind of route.

    Attributes:
        name: As routes name it.
        address: For each client address.
        user: For each user; None where there is none.
        session: For each of a user's sessions or personal tokens; None where there is
            none. Less than the user's, so that one of them leaves room for the others.
        is_fail_closed: Whether it is refused while Redis is away, instead of
            counted by this process alone (security.md RL-4).
    """

    name: str
    address: Limit
    user: Limit | None = None
    session: Limit | None = None
    is_fail_closed: bool = False


def limit_headers(decision: Decision) -> tuple[tuple[bytes, bytes], ...]:
    """Return what a client is told of the limit that it will reach first.

    Source: draft-ietf-httpapi-ratelimit-headers: quota, window, rest and time until
    the whole quota is there again, in seconds.
    """
    charge = decision.tightest
    if charge is None:
        return ()
    name = charge.subject.split(":", 2)[1]
    rest = b'"%b";r=%d;t=%d' % (
        name.encode(),
        decision.remaining,
        math.ceil(decision.reset_seconds),
    )
    return ((b"ratelimit-policy", _policy(name, charge.limit)), (b"ratelimit", rest))


@lru_cache(maxsize=64)
def _policy(name: str, limit: Limit) -> bytes:
    window = max(1, math.ceil(limit.burst * limit.interval_seconds))
    return f'"{name}";q={limit.burst};w={window}'.encode()
