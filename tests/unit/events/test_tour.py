"""The README's tour runs without a server as it stands there."""

from tests.support import event_tour


def test_the_tour_s_test_passes(tmp_path):
    """In a process of its own: its events are not in our catalog."""
    event_tour.write_tour(tmp_path)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    output = event_tour.run(tmp_path, *words, "test_tour.py")
    assert "1 passed" in output
