"""What a benchmark's check refuses."""

import json
import subprocess
import sys

import pytest

from bench.regression import RECORDED, Ratio, measure, worse

MORE: Ratio = {"value": 0.2, "better": "more"}
LESS: Ratio = {"value": 1.0, "better": "less"}


@pytest.mark.parametrize(
    ("ratio", "value", "is_refused"),
    [
        (MORE, 0.161, False),
        (MORE, 0.159, True),
        (MORE, 0.5, False),
        (LESS, 1.19, False),
        (LESS, 1.21, True),
        (LESS, 0.5, False),
    ],
)
def test_fz_2_a_ratio_that_is_a_fifth_worse_is_refused(
    ratio: Ratio, value: float, *, is_refused: bool
) -> None:
    """FZ-2: in its own direction; what got better is not."""
    assert bool(worse({"a_ratio": ratio}, {"a_ratio": value})) == is_refused


def test_fz_2_what_was_not_measured_is_refused() -> None:
    """FZ-2: or a figure that is renamed would never be compared again."""
    assert worse({"a_ratio": MORE}, {"another": 1.0}) == ["a_ratio: not measured"]


def test_a_benchmarks_last_line_is_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its table is shown as well; one that fails is no measurement."""
    run = subprocess.run

    def say(command: list[str], **options: object) -> object:
        script = "print('a table'); print('{\"a_ratio\": 0.3}')"
        if command[2] != "bench.chat_slow":
            script = "raise SystemExit(2)"
        return run([sys.executable, "-c", script], **options)  # type: ignore[call-overload]

    monkeypatch.setattr("subprocess.run", say)
    assert measure("chat-slow", []) == {"a_ratio": 0.3}
    assert capfd.readouterr().out.startswith("a table\n")
    with pytest.raises(subprocess.CalledProcessError):
        measure("unknown", [])


def test_every_recorded_benchmark_names_its_figures() -> None:
    """A name that the benchmark does not print would refuse every change."""
    for name, ratios in json.loads(RECORDED.read_text()).items():
        path = RECORDED.parent / name.replace("-", "_")
        source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        text = source.read_text()
        assert all(f'"{ratio}"' in text for ratio in ratios), name
