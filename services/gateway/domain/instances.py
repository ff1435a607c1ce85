"""The instances of one service: whom to ask next, and whom to leave alone.

Least outstanding requests: with equal machines it is as good as any, with a slow one
among them far better than turns (Mitzenmacher 2001 compares both). Health is passive:
an instance that cannot be reached, or does not answer, several times in a row rests
for a while that doubles, and is then tried with ordinary requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from libs.kernel import Clock

_FAILURES_IN_A_ROW = 3
_REST_SECONDS = 2.0
_REST_MAX_SECONDS = 30.0


@dataclass(eq=False)
class Instance:
    """One process of a service; it counts as busy while a ``with`` block runs.

    Attributes:
        base_url: ``http://host:port``.
        outstanding: Requests that it has not answered to the end.
        failures: In a row.
        rests_until: On the monotonic clock; asked again from then on.
    """

    base_url: str
    outstanding: int = 0
    failures: int = 0
    rests_until: float = field(default=float("-inf"))

    def __enter__(self) -> Self:
        self.outstanding += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.outstanding -= 1


class Instances:
    """All instances of a service that are known.

    Args:
        base_urls: One at least.
        clock: Monotonic.
    """

    def __init__(self, base_urls: Sequence[str], clock: Clock) -> None:
        self._clock = clock
        self._all: list[Instance] = []
        self.replace(base_urls)

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Where they are."""
        return tuple(instance.base_url for instance in self._all)

    def replace(self, base_urls: Sequence[str]) -> None:
        """Take over what a look-up found; who stays keeps count and rest."""
        known = {instance.base_url: instance for instance in self._all}
        self._all = [known.get(url) or Instance(url) for url in sorted(set(base_urls))]

    def pick(self, beside: Instance | None = None) -> Instance:
        """Return the instance to ask.

        Args:
            beside: Not this one, if there is any other: it has just failed.

        Returns:
            The least busy of those that do not rest; of equals, the one asked longest
            ago. If all rest, the one whose rest ends first: better a try than none.
        """
        if len(self._all) == 1:
            return self._all[0]
        now = self._clock.monotonic()
        others = [one for one in self._all if one is not beside] or self._all
        awake = [one for one in others if one.rests_until <= now]
        if not awake:
            return min(others, key=lambda one: one.rests_until)
        picked = min(awake, key=lambda one: one.outstanding)
        # To the end of the list: `min` takes the first of equals.
        self._all.remove(picked)
        self._all.append(picked)
        return picked

    def answered(self, instance: Instance) -> None:
        """Note that an instance answered, whatever it said: it need not rest."""
        instance.failures = 0
        instance.rests_until = float("-inf")

    def leaves(self, instance: Instance) -> None:
        """Note that an instance ends its connections: it is about to stop.

        Others are asked meanwhile; what is still sent to it is answered.
        """
        instance.rests_until = self._clock.monotonic() + _REST_SECONDS

    def failed(self, instance: Instance) -> None:
        """Note that an instance could not be reached, or did not answer.

        Requests that were under way together count as one try of an instance at rest,
        or a restart of a second would be followed by half a minute of rest.
        """
        if instance.rests_until > self._clock.monotonic():
            return
        instance.failures += 1
        beyond = instance.failures - _FAILURES_IN_A_ROW
        if beyond >= 0:
            rest = min(_REST_SECONDS * 2 ** min(beyond, 10), _REST_MAX_SECONDS)
            instance.rests_until = self._clock.monotonic() + rest
