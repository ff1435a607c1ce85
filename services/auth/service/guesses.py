"""Every secret is tried inside this block, so that each has the same budget (LT-5)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kernel import AppError
from services.auth.domain import Guess
from services.auth.ports import Attempt, GuessThrottle


@asynccontextmanager
async def counted(
    throttle: GuessThrottle, guess: Guess, *, wrong: type[AppError]
) -> AsyncIterator[Attempt]:
    """Count a guess around the code that looks at the secret.

    Args:
        throttle: The counters.
        guess: Which secret, whose, from where.
        wrong: What the block raises for a wrong secret: it counts as a failure. Any
            other expected error uncounts the guess, as nothing was looked at; the
            end of the block clears the subject's failures.

    Raises:
        RateLimitedError: Too many failures; the block did not run.
        UnavailableError: The counters cannot be reached; the block did not run.
    """
    attempt = await throttle.begin(guess)
    try:
        yield attempt
    except wrong:
        await attempt.failed()
        raise
    except AppError:
        await attempt.withdraw()
        raise
    await attempt.succeeded()
