"""What the commands say, without a stack that runs."""

import pytest

from deploy.embedded.cli import main
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack, open_stack
from deploy.embedded.log_files import log_paths
from deploy.embedded.progress import urls


@pytest.fixture
def stack(tmp_path) -> Stack:
    """A stack that never ran, with three logs, one of them empty."""
    stack = open_stack(tmp_path / "stack")
    for name, text in (
        ("edge.log", ""),
        ("edge-access.log", "GET /\n"),
        ("chat.jsonl", "{}\n"),
    ):
        (stack.folder("log") / name).write_text(text)
    return stack


def test_port_base_that_is_no_number_is_an_error_and_no_traceback(
    stack, monkeypatch, capsys
):
    """The operator's own variable is named."""
    monkeypatch.setenv("PARLEY_PORT_BASE", "abc")
    assert main(["--stack", str(stack.root), "status"]) == 1
    assert "PARLEY_PORT_BASE='abc'" in capsys.readouterr().err


def test_logs_are_found_by_the_beginning_of_their_name(stack):
    """A word means every log that begins with it; empty files are skipped."""
    assert [path.name for path in log_paths(stack, ["edge"])] == ["edge-access.log"]
    assert [p.name for p in log_paths(stack, [])] == ["chat.jsonl", "edge-access.log"]


def test_unknown_log_is_refused_with_the_names_there_are(stack):
    """A misspelt name is told, not answered with silence."""
    with pytest.raises(StackError, match=r"'caht'; there are: chat, edge, edge-acc"):
        log_paths(stack, ["caht"])


def test_address_of_the_edge_is_called_api(stack):
    """There is no client behind it: the word says what is."""
    assert f"API          {stack.url('edge')}/" in urls(stack)
