"""A total-queue checker: what was put in comes out, each thing once in effect."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Checked:
    """How many things, by what became of them.

    Attributes:
        acknowledged: Their commit was confirmed to the one who published.
        lost: Acknowledged, and without an effect. Must be 0.
        unexpected: An effect of what nobody published. Must be 0.
        duplicated: More than one effect. Must be 0.
        recovered: An effect although the publisher never heard of the commit.
        disordered: Effects of a key that overtook others, where order is promised.
    """

    acknowledged: int
    lost: int
    unexpected: int
    duplicated: int
    recovered: int
    disordered: int

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.unexpected or self.duplicated or self.disordered)

    def __str__(self) -> str:
        """Say how many of each, for a terminal."""
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items())

    def __add__(self, other: "Checked") -> "Checked":
        """Count two subscriptions together."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Checked(*(mine + theirs for mine, theirs in pairs))


def check(
    attempted: Iterable[Hashable],
    acknowledged: Iterable[Hashable],
    effects: Iterable[Hashable],
    by_key: Mapping[str, Sequence[int]] | None = None,
) -> Checked:
    """Compare what was published with its effects.

    Args:
        attempted: Everything that may have been published.
        acknowledged: What certainly was.
        effects: One entry for each effect.
        by_key: Numbers of each key in the order of their effects.
    """
    tried, sure, counted = set(attempted), set(acknowledged), Counter(effects)
    return Checked(
        acknowledged=len(sure),
        lost=len(sure - set(counted)),
        unexpected=len(set(counted) - tried - sure),
        duplicated=sum(1 for count in counted.values() if count > 1),
        recovered=len((set(counted) & tried) - sure),
        disordered=sum(_overtakings(numbers) for numbers in (by_key or {}).values()),
    )


def grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Collect the numbers of each key, in the order given."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for key, number in pairs:
        found[key].append(number)
    return dict(found)


def _overtakings(numbers: Sequence[int]) -> int:
    return sum(1 for a, b in pairwise(numbers) if b <= a)
