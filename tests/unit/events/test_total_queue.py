"""The checker of the fault runs names every promise that a history breaks."""

import dataclasses
import json

import pytest

from tests.support import fault_counts
from tests.support.total_queue import check, grouped

GOOD = {"attempted": [1, 2, 3], "acknowledged": [1, 2], "effects": [1, 2]}


def test_a_good_history_is_good():
    """Each acknowledged thing has one effect."""
    checked = check(**GOOD)
    assert checked.is_good
    assert checked.acknowledged == 2


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"effects": [1]}, "lost"),
        ({"effects": [1, 2, 4]}, "unexpected"),
        ({"effects": [1, 2, 2]}, "duplicated"),
        ({"by_key": grouped([("a", 1), ("b", 1), ("a", 3), ("a", 2)])}, "disordered"),
    ],
)
def test_a_bad_history_is_named(change, broken):
    """One seeded fault, one count, and the run is not good."""
    checked = check(**(GOOD | change))
    assert not checked.is_good
    assert getattr(checked, broken) == 1
    assert f"{broken} 1" in str(checked)


def test_an_effect_whose_commit_nobody_heard_of_is_recovered():
    """The publisher was killed before the answer came: allowed, and counted."""
    checked = check(**(GOOD | {"effects": [1, 2, 3]}))
    assert checked.is_good
    assert checked.recovered == 1


def test_runs_are_counted_until_there_are_enough(tmp_path, monkeypatch):
    """A fault that met two systems is two runs; a bad run is counted as what it is."""
    monkeypatch.setattr(fault_counts, "FILE", tmp_path / "counts.json")
    monkeypatch.setattr(fault_counts, "WANTED", 3)
    good, bad = check(**GOOD), check(**(GOOD | {"effects": [1]}))
    fault_counts.add("broker away", [good, bad], 30.0)
    assert fault_counts.left("broker away") == 1
    assert fault_counts.seconds_of("broker away") == 15.0
    [(phase, sums)] = json.loads(fault_counts.FILE.read_text()).items()
    assert (phase, sums["runs"], sums["faults"], sums["lost"]) == (
        "broker away",
        2,
        1,
        1,
    )
    assert {field.name for field in dataclasses.fields(good)} < set(sums)
    assert "| broker away | 2 | 1 | 4 | 1 |" in fault_counts.table()
    assert "broker away" in fault_counts.plan()
