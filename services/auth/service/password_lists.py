"""What is known of passwords offline: lists of frequent ones, and how hard one is.

Lists and estimate are zxcvbn's. They cost 15 MB and a third of a second, so they are
loaded at the first use, once, in the thread that also estimates.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

from libs.kernel import UnavailableError

ESTIMATED_CODE_POINTS_MAX = 32
"""Longer passwords are estimated by their beginning; the rest only adds to them."""

_LOOKALIKES = frozenset("!$%(+<@[{|")
_LOOKALIKES_MAX = 3
_NEUTRAL = "~"
_WAITING_MAX = 16
T = TypeVar("T")


@dataclass(frozen=True)
class PasswordStrength:
    """How hard a password is to guess.

    Attributes:
        score: 0 (at once) to 4 (very hard).
        warning: Why it is easy, in English; empty if it is not.
        suggestions: What would help, in English.
    """

    score: int
    warning: str
    suggestions: tuple[str, ...]


class PasswordLists:
    """Frequent passwords and words, and the estimate that builds on them.

    One thread works for all: the estimate holds the interpreter, and the library
    keeps the words of a call in one place.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="password-lists")
        self._words: tuple[frozenset[str] | dict[str, int], ...] = ()
        self._estimate: Callable[..., dict[str, Any]] | None = None
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let a running estimate end and drop waiting ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def hold_one_of(self, forms: Iterable[str]) -> bool:
        """Tell whether one of these texts is, as a whole, on a list.

        Args:
            forms: In lower case.
        """
        if not self._words:
            await self._run(self._load)
        return any(form in words for words in self._words for form in forms)

    async def strength(self, password: str, words: Iterable[str]) -> PasswordStrength:
        """Estimate a password.

        The time is bounded to some 50 ms: the beginning counts, and of the signs that
        stand for letters three kinds; the library tries all their combinations.

        Args:
            password: As typed.
            words: What else makes it easy, such as the person's name.

        Raises:
            UnavailableError: Too many wait for an estimate.
        """
        if self._waiting >= _WAITING_MAX:
            raise UnavailableError(
                "strength_busy", "Too many estimates at once.", retry_after_seconds=1
            )
        self._waiting += 1
        try:
            return await self._run(self._strength, password, tuple(words))
        finally:
            self._waiting -= 1

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *args))

    def _load(self) -> None:
        from zxcvbn import zxcvbn  # noqa: PLC0415 - 15 MB that few processes need
        from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415
        from zxcvbn.matching import RANKED_DICTIONARIES  # noqa: PLC0415

        self._estimate = zxcvbn
        self._words = tuple(RANKED_DICTIONARIES[name] for name in FREQUENCY_LISTS)

    def _strength(self, password: str, words: tuple[str, ...]) -> PasswordStrength:
        if self._estimate is None:
            self._load()
        assert self._estimate is not None  # noqa: S101 - just loaded
        found = self._estimate(_bounded(password), user_inputs=words)
        feedback = found["feedback"]
        return PasswordStrength(
            found["score"], feedback["warning"], tuple(feedback["suggestions"])
        )


def _bounded(password: str) -> str:
    kinds: set[str] = set()
    kept = []
    for character in password[:ESTIMATED_CODE_POINTS_MAX]:
        if character in _LOOKALIKES and len(kinds | {character}) > _LOOKALIKES_MAX:
            kept.append(_NEUTRAL)
            continue
        kinds |= {character} & _LOOKALIKES
        kept.append(character)
    return "".join(kept)
