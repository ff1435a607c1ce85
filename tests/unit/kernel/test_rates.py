"""GCRA: accepted <= burst + rate * t, and waiting always works."""

from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.rates import Charge, Limit, LocalBuckets, arrive


def test_a_burst_passes_and_the_next_one_waits_an_interval() -> None:
    """Five at once, then one every tenth of a second."""
    limit = Limit(rate_per_second=10, burst=5)
    buckets = LocalBuckets()
    charges = [Charge("a", limit)]
    outcomes = [buckets.charge(charges, 100.0) for _ in range(6)]
    assert [decision.is_allowed for decision in outcomes] == [True] * 5 + [False]
    assert round(outcomes[5].retry_after_seconds, 6) == 0.1
    assert outcomes[5].subject == "a"


def test_an_unknown_key_starts_with_its_whole_burst() -> None:
    """No history is the best history."""
    tat, wait = arrive(None, 50.0, Limit(1, 1))
    assert (tat, wait) == (51.0, 0.0)


def test_a_refused_request_is_charged_to_no_limit() -> None:
    """All limits or none: a stopped user does not use up the address."""
    buckets = LocalBuckets()
    strict, wide = Charge("user", Limit(1, 1)), Charge("address", Limit(1, 3))
    assert buckets.charge([wide, strict], 0.0).is_allowed
    for _ in range(10):
        assert buckets.charge([wide, strict], 0.0).subject == "user"
    assert buckets.charge([wide], 0.0).is_allowed
    assert buckets.charge([wide], 0.0).is_allowed
    assert not buckets.charge([wide], 0.0).is_allowed


def test_memory_is_bounded() -> None:
    """The key used longest ago is forgotten first."""
    buckets = LocalBuckets(keys_max=2)
    limit = Limit(0.001, 1)
    for subject in ("a", "b", "c"):
        assert buckets.charge([Charge(subject, limit)], 0.0).is_allowed
    assert buckets.charge([Charge("a", limit)], 0.0).is_allowed
    assert not buckets.charge([Charge("c", limit)], 0.0).is_allowed


@given(
    rate=st.floats(0.1, 1_000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_window_takes_more_than_burst_plus_rate_times_t(
    rate: float, burst: int, gaps: list[float]
) -> None:
    """The law of RL-1, in every window that starts with an accepted request."""
    limit, tat, now = Limit(rate, burst), None, 1_000.0
    accepted: list[float] = []
    for gap in gaps:
        now += gap
        next_tat, wait = arrive(tat, now, limit)
        if wait == 0:
            tat = next_tat
            accepted.append(now)
    for index, start in enumerate(accepted):
        for count, end in enumerate(accepted[index:], start=1):
            assert count <= burst + rate * (end - start) + 1


@given(
    rate=st.floats(0.1, 1_000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 0.1), min_size=1, max_size=100),
)
def test_waiting_as_told_always_succeeds(
    rate: float, burst: int, gaps: list[float]
) -> None:
    """RL-3: whoever waits Retry-After is let in."""
    limit, tat, now = Limit(rate, burst), None, 1_000.0
    for gap in gaps:
        now += gap
        next_tat, wait = arrive(tat, now, limit)
        if wait > 0:
            now += wait + 1e-6
            next_tat, again = arrive(tat, now, limit)
            assert again == 0
        tat = next_tat
