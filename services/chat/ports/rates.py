"""Where it is counted how often users do things."""

from collections.abc import Sequence
from typing import Protocol

from libs.kernel.rates import Charge, Decision


class SharedBuckets(Protocol):
    """Limits that all processes share; `libs.chassis.buckets.RedisBuckets`."""

    async def charge(self, charges: Sequence[Charge]) -> Decision:
        """Charge all limits, or none of them.

        Raises:
            UnavailableError: The store does not answer; nothing may be assumed.
        """
        ...
