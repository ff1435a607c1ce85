"""Frame cutting: bounds, one type, one unconfirmed frame a key, order by key."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from libs.events.frames import MAX_FRAME_BYTES, MAX_FRAME_EVENTS, FrameQueue, Row


def row(number, key="k", event_type="a.done", size=10, *, is_alone=False):
    """Make a row whose body has a size."""
    return Row(
        id=str(number),
        type=event_type,
        exchange=f"{event_type.partition('.')[0]}.events",
        key=key,
        sequence=number,
        body=b"x" * size,
        is_alone=is_alone,
    )


def take_all(queue):
    """Take every frame that may travel now."""
    frames = []
    while frame := queue.next_frame():
        frames.append(frame)
    return frames


def test_an_empty_queue_has_no_frame():
    """Nothing queued, nothing to send."""
    assert FrameQueue().next_frame() is None


def test_one_type_and_many_keys_share_a_frame():
    """Rows of one type travel together, whatever their keys."""
    queue = FrameQueue()
    queue.add([row(1, "a"), row(2, "b"), row(3, "a")])
    (frame,) = take_all(queue)
    assert {r.id for r in frame.rows} == {"1", "2", "3"}


def test_a_key_that_changes_type_waits_for_the_confirm():
    """Sent, then edited: the second frame leaves after the first is confirmed."""
    queue = FrameQueue()
    queue.add([row(1, "a", "m.sent"), row(2, "a", "m.edited")])
    (first,) = take_all(queue)
    assert first.type == "m.sent"
    queue.confirm(first)
    (second,) = take_all(queue)
    assert second.type == "m.edited"


def test_a_put_back_frame_comes_first_again():
    """After a lost confirm the same rows leave before later ones of their key."""
    queue = FrameQueue()
    queue.add([row(1), row(2)])
    (frame,) = take_all(queue)
    queue.add([row(3)])
    assert take_all(queue) == []
    queue.put_back(frame)
    (again,) = take_all(queue)
    assert [r.id for r in again.rows] == ["1", "2", "3"]


def test_a_dropped_frame_takes_what_is_behind_its_keys():
    """After a refusal a key's later rows are left to the outbox, others go on."""
    queue = FrameQueue()
    queue.add([row(1, "a", "m.sent"), row(2, "a", "m.edited"), row(3, "b", "n.made")])
    frames = {frame.type: frame for frame in take_all(queue)}
    queue.drop(frames["m.sent"])
    assert len(queue) == 1
    assert "2" not in queue
    queue.confirm(frames["n.made"])
    assert len(queue) == 0
    assert queue.size_bytes == 0


def test_a_row_is_held_once():
    """Refilling with a row that is here already changes nothing."""
    queue = FrameQueue()
    queue.add([row(1)])
    queue.add([row(1)])
    assert len(queue) == 1


def test_a_refused_row_travels_alone():
    """A row that was refused before cannot take others down with it."""
    queue = FrameQueue()
    queue.add([row(1, "a", is_alone=True), row(2, "b"), row(3, "c", is_alone=True)])
    assert sorted(len(frame.rows) for frame in take_all(queue)) == [1, 1, 1]


def test_a_large_event_travels_alone():
    """An event over the frame's size still leaves."""
    queue = FrameQueue()
    queue.add([row(1, "a"), row(2, "b", size=MAX_FRAME_BYTES * 2), row(3, "c")])
    frames = take_all(queue)
    assert sum(len(frame.rows) for frame in frames) == 3
    big = next(frame for frame in frames if frame.rows[0].id == "2")
    assert len(big.rows) == 1


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["m.sent", "m.edited", "u.made"]),
        st.integers(1, 20_000),
    ),
    max_size=150,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_any_schedule_keeps_the_promises(specs, random):
    """Confirms and losses in any order: bounds held, nothing lost, order by key."""
    rows = [row(i, key, kind, size) for i, (key, kind, size) in enumerate(specs)]
    queue = FrameQueue()
    waiting, unconfirmed = list(rows), []
    confirmed = defaultdict(list)
    while waiting or len(queue):
        if waiting and random.random() < 0.5:
            count = random.randint(1, 10)
            queue.add(waiting[:count])
            waiting = waiting[count:]
        frame = queue.next_frame()
        if frame is not None:
            unconfirmed.append(frame)
            assert len({r.type for r in frame.rows}) == 1
            assert 1 <= len(frame.rows) <= MAX_FRAME_EVENTS
            is_bounded = sum(len(r.body) + 1 for r in frame.rows) < MAX_FRAME_BYTES
            assert is_bounded or len(frame.rows) == 1
            keys = [key for f in unconfirmed for key in {r.key for r in f.rows}]
            assert len(keys) == len(set(keys))
        if unconfirmed and random.random() < 0.7:
            done = unconfirmed.pop(random.randrange(len(unconfirmed)))
            if random.random() < 0.3:
                queue.put_back(done)
            else:
                queue.confirm(done)
                for r in done.rows:
                    confirmed[r.key].append(int(r.id))
    assert sum(map(len, confirmed.values())) == len(rows)
    assert all(ids == sorted(ids) for ids in confirmed.values())
    assert queue.size_bytes == 0
