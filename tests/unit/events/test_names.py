"""Names, topic patterns and what follows from an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import PermanentError, Retry, RetryAfter
from libs.events.consuming.outcome import Again, GiveUp, Later, error_text, judge
from libs.events.errors import CrashLoopError, DecodeError
from libs.events.names import (
    dead_letter_queue,
    live_queue,
    matches,
    queue_name,
    retry_queue,
    tier_seconds,
)
from libs.kernel import ConflictError, RateLimitedError, UnavailableError


@pytest.mark.parametrize(
    ("pattern", "key", "is_match"),
    [
        ("user.#", "user", True),
        ("user.#", "user.created", True),
        ("user.#", "user.a.b", True),
        ("user.*", "user", False),
        ("user.*", "user.created", True),
        ("user.*", "user.a.b", False),
        ("a.#.b", "a.b", True),
        ("a.#.b", "a.x.y.b", True),
        ("#", "anything.at.all", True),
        ("message.sent", "message.sent", True),
        ("message.sent", "message.edited", False),
    ],
)
def test_topic_patterns(pattern, key, is_match):
    """``#`` stands for no word or more, ``*`` for exactly one."""
    assert matches(pattern, key) is is_match


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5))
def test_a_key_matches_itself(words):
    """A pattern without wildcards is its own and only match."""
    key = ".".join(words)
    assert matches(key, key)
    assert matches("#", key)
    assert not matches(key, f"{key}.more")


def test_names_follow_from_service_and_subscription():
    """Queues are named as the design says."""
    queue = queue_name("notification", "message-sent")
    assert queue == "notification.message-sent"
    assert retry_queue(queue, "10s") == "notification.message-sent.retry.10s"
    assert dead_letter_queue(queue) == "notification.message-sent.dlq"
    assert live_queue("chat", "chat-1", "events") == "chat.live.chat-1-events"


def test_tiers_have_seconds():
    """A tier is a number and a unit."""
    assert [tier_seconds(t) for t in ("1s", "10s", "1m", "10m", "1h")] == [
        1,
        10,
        60,
        600,
        3600,
    ]
    with pytest.raises(ValueError, match="no such tier"):
        tier_seconds("soon")


RETRY = Retry(immediate=2, delays=("1s", "1m"))


@pytest.mark.parametrize(
    ("error", "attempt", "tries", "verdict"),
    [
        (ValueError(), 1, 1, Again()),
        (ValueError(), 1, 2, Again()),
        (ValueError(), 1, 3, Later("1s")),
        (ValueError(), 2, 3, Later("1m")),
        (ValueError(), 3, 3, GiveUp("retries_exhausted")),
        (PermanentError("no"), 1, 1, GiveUp("permanent")),
        (ConflictError("taken", "no"), 1, 1, GiveUp("permanent")),
        (DecodeError("no"), 1, 1, GiveUp("permanent")),
        (CrashLoopError(6), 1, 1, GiveUp("crash_loop")),
        (UnavailableError("away", "no"), 1, 1, Again()),
        (UnavailableError("away", "no"), 1, 3, Later("1s")),
        (RateLimitedError("slow", "no", retry_after_seconds=30), 1, 1, Later("1m")),
        (RetryAfter(0.5), 1, 1, Later("1s")),
        (RetryAfter(30), 1, 1, Later("1m")),
        (RetryAfter(7200), 1, 1, Later("1m")),
        (RetryAfter(1), 3, 1, GiveUp("retries_exhausted")),
    ],
)
def test_an_error_decides_what_follows(error, attempt, tries, verdict):
    """Try again, a tier that is long enough, or a dead letter."""
    assert judge(error, RETRY, attempt=attempt, tries=tries) == verdict


def test_foreign_errors_are_not_quoted():
    """Their text may hold what the handler was given; type and place are enough."""
    try:
        raise KeyError("private text")  # noqa: TRY301
    except KeyError as err:
        text = error_text(err)
    assert "private" not in text
    assert text.startswith("KeyError at ")
    assert error_text(ValueError("private")) == "ValueError"
    assert error_text(PermanentError("our words")) == "our words"
