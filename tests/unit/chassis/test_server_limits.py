"""How many connections a process holds, by the descriptors that it may have."""

import resource

import pytest

from libs.chassis.descriptors import connections_max


@pytest.mark.parametrize(
    ("limits", "connections", "raised"),
    [
        ((256, 256), 104, None),
        ((10, 10), 1, None),
        ((256, 1_000), 476, 1_000),
        ((1_024, 1_000_000), 1_024, 2_096),
        ((256, resource.RLIM_INFINITY), 1_024, 2_096),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 1_024, None),
        ((1_000_000, 1_000_000), 1_024, None),
    ],
)
def test_f23_half_of_the_descriptors_are_for_clients(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    connections: int,
    raised: int | None,
) -> None:
    """F23: what is allowed is used; accepting fails for no client that was let in."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: limits)
    monkeypatch.setattr("resource.setrlimit", lambda _, new: told.append(new))
    assert connections_max() == connections
    assert (told[-1][0] if told else limits[0]) == (raised or limits[0])
