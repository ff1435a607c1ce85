"""The rate limits of routes, by kind."""

from dataclasses import dataclass

from libs.kernel.rates import Limit


@dataclass(frozen=True)
class LimitClass:
    """The limits of one kind of route.

    Attributes:
        name: As routes name it.
        address: For each client address.
        user: For each user; None where there is none.
        is_fail_closed: Whether it is refused while Redis is away, instead of
            counted by this process alone (security.md RL-4).
    """

    name: str
    address: Limit
    user: Limit | None = None
    is_fail_closed: bool = False
