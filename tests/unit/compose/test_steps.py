"""Steps wait for servers that are not yet ready, and end when time is over."""

from pathlib import Path

import pytest

from deploy.compose import steps
from deploy.embedded.readiness import NotReadyError


async def test_a_step_waits_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not ready yet is asked again."""
    monkeypatch.setattr(steps, "_PAUSE_SECONDS", 0)
    answers = iter([NotReadyError("no primary"), OSError("refused"), None])

    async def settle() -> None:
        if (answer := next(answers)) is not None:
            raise answer

    assert await steps.until_settled(settle) == 0


async def test_a_step_gives_up_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After its time it says what was missing, and services do not start."""
    monkeypatch.setattr(steps, "_PAUSE_SECONDS", 0)

    async def settle() -> None:
        raise NotReadyError("no primary")

    assert await steps.until_settled(settle, seconds=0) == 1
    assert "no primary" in capsys.readouterr().err


def test_volumes_are_given_to_the_user_of_the_containers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each folder gets the one user, whatever its image has made of it."""
    given = []
    monkeypatch.setattr(steps.os, "chown", lambda *words: given.append(words))

    assert steps.main(["volumes", str(tmp_path)]) == 0
    assert given == [(str(tmp_path), steps.USER, steps.USER)]


def test_a_rewind_leaves_what_was_restored(tmp_path: Path) -> None:
    """Queues and caches are emptied; checkpoints lie aside, other files stay."""
    node = tmp_path / "emptied" / "rabbitmq" / "mnesia" / "node"
    folder = tmp_path / "kept" / "auth"
    for path in (node, folder):
        path.mkdir(parents=True)
    (node.parents[1] / ".cookie").write_text("")
    for name in ("audit-checkpoints.jsonl", "another"):
        (folder / name).write_text("")

    words = ["rewind", str(tmp_path / "emptied"), str(tmp_path / "kept")]
    assert steps.main(words) == 0
    assert list((tmp_path / "emptied" / "rabbitmq").iterdir()) == []
    aside, other = sorted(path.name for path in folder.iterdir())[::-1]
    assert (aside.partition(".before-")[0], other) == (
        "audit-checkpoints.jsonl",
        "another",
    )
