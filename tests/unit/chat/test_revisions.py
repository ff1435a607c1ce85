"""The reorder buffer: whatever comes in, revisions come out once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from services.chat.service.revisions import RevisionBuffer


def test_items_in_order_pass_at_once() -> None:
    """The common case holds nothing."""
    buffer: RevisionBuffer[str] = RevisionBuffer(4)
    assert buffer.offer(5, "a", 0.0) == ["a"]
    assert buffer.offer(6, "b", 0.0) == ["b"]
    assert not buffer.has_hole


def test_old_and_repeated_items_are_dropped() -> None:
    """What was delivered, or is held already, does not come out again."""
    buffer: RevisionBuffer[str] = RevisionBuffer(4)
    assert buffer.offer(4, "old", 0.0) == []
    assert buffer.offer(7, "c", 0.0) == buffer.offer(7, "again", 0.0) == []
    assert buffer.offer(5, "a", 0.0) == ["a"]
    assert buffer.offer(6, "b", 0.0) == ["b", "c"]


def test_a_hole_is_overdue_by_age_or_by_number() -> None:
    """It is waited for 200 ms, or until 64 items wait behind it."""
    buffer: RevisionBuffer[int] = RevisionBuffer(0, limit=3)
    buffer.offer(2, 2, 10.0)
    assert not buffer.is_overdue(10.1, 0.2)
    assert buffer.is_overdue(10.25, 0.2)
    buffer.offer(3, 3, 10.0)
    buffer.offer(4, 4, 10.0)
    assert buffer.is_overdue(10.0, 0.2)


def test_patience_starts_again_with_the_next_hole() -> None:
    """A second hole behind the first one has its own time."""
    buffer: RevisionBuffer[int] = RevisionBuffer(0)
    buffer.offer(2, 2, 0.0)
    buffer.offer(4, 4, 0.0)
    assert buffer.offer(1, 1, 5.0) == [1, 2]
    assert not buffer.is_overdue(5.1, 0.2)


def test_advance_jumps_over_a_hole_and_releases_what_follows() -> None:
    """After a fill from the database the held tail comes out."""
    buffer: RevisionBuffer[int] = RevisionBuffer(0)
    for revision in (3, 5, 6, 9):
        buffer.offer(revision, revision, 0.0)
    assert buffer.advance(4, 0.0) == [5, 6]
    assert buffer.delivered == 6
    assert buffer.advance(2, 0.0) == []
    assert buffer.delivered == 6


arrivals = st.lists(st.integers(1, 30), max_size=80)


@given(arrivals)
def test_output_is_always_contiguous(revisions: list[int]) -> None:
    """Any arrival order and repetition gives 1, 2, 3 … up to the first missing one."""
    buffer: RevisionBuffer[int] = RevisionBuffer(0)
    out = [item for r in revisions for item in buffer.offer(r, r, 0.0)]
    assert out == list(range(1, len(out) + 1))
    missing = next(n for n in range(1, 32) if n not in revisions)
    assert buffer.delivered == missing - 1


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=80))
def test_output_rises_strictly_with_fills(steps: list[tuple[bool, int]]) -> None:
    """Fills may skip, but nothing is ever delivered twice or backwards."""
    buffer: RevisionBuffer[int] = RevisionBuffer(0)
    out: list[int] = []
    for is_fill, revision in steps:
        done = buffer.delivered
        if is_fill:
            ready = buffer.advance(revision, 0.0)
            done = max(done, revision)
        else:
            ready = buffer.offer(revision, revision, 0.0)
        assert ready == list(range(done + 1, done + 1 + len(ready)))
        out += ready
    assert out == sorted(set(out))
