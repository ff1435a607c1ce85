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


def test_a_weighty_request_counts_as_several() -> None:
    """What costs five leaves five less, and never more than there is at all."""
    buckets, limit = LocalBuckets(), Limit(1, 10)
    decision = buckets.charge([Charge("a", limit, cost=5)], 0.0)
    assert (decision.remaining, decision.reset_seconds) == (5, 5.0)
    refused = buckets.charge([Charge("a", limit, cost=6)], 0.0)
    assert round(refused.retry_after_seconds, 6) == 1.0
    assert refused.remaining == 5
    assert buckets.charge([Charge("b", limit, cost=99)], 0.0).is_allowed


def test_the_limit_that_ends_first_is_told() -> None:
    """Of several limits the one with the smallest share of its burst left."""
    buckets = LocalBuckets()
    wide, narrow = Charge("address", Limit(10, 100)), Charge("user", Limit(1, 2))
    decision = buckets.charge([wide, narrow], 0.0)
    assert decision.tightest == narrow
    assert (decision.remaining, decision.reset_seconds) == (1, 1.0)
    assert buckets.charge([], 0.0).tightest is None


@given(
    costs=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    burst=st.integers(1, 20),
)
def test_what_remains_is_what_is_still_taken(costs: list[int], burst: int) -> None:
    """Exactly so many plain requests pass at once after any history."""
    buckets, limit = LocalBuckets(), Limit(1, burst)
    for cost in costs:
        decision = buckets.charge([Charge("a", limit, cost)], 0.0)
    plain = [buckets.charge([Charge("a", limit)], 0.0) for _ in range(burst + 1)]
    assert sum(answer.is_allowed for answer in plain) == decision.remaining
