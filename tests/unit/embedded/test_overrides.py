"""What the operator lays over a service's settings reaches that service alone."""

import pytest

from deploy.embedded.child import environment_of
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack, open_stack
from deploy.embedded.overrides import overrides_of
from deploy.embedded.program import Group, Program

COLLECTOR = "http://127.0.0.1:4318"


@pytest.fixture
def stack(tmp_path) -> Stack:
    """A stack that is never started."""
    stack = open_stack(tmp_path / "stack")
    stack.folder()
    return stack


def program(name: str, group: Group = Group.SERVICE) -> Program:
    """Return a program whose table sets its log level."""
    level = f"{name.upper()}_LOG_LEVEL"
    return Program(name, group, ("/bin/true",), environment={level: "info"})


def test_exported_variable_reaches_its_service_alone(stack, monkeypatch):
    """A service gets what begins with its prefix, and nobody else does."""
    monkeypatch.setenv("CHAT_OTLP_ENDPOINT", COLLECTOR)
    assert environment_of(stack, program("chat"))["CHAT_OTLP_ENDPOINT"] == COLLECTOR
    assert "CHAT_OTLP_ENDPOINT" not in environment_of(stack, program("media"))
    server = program("chat", Group.SERVER)
    assert "CHAT_OTLP_ENDPOINT" not in environment_of(stack, server)


def test_file_stands_over_exported_variable_and_table(stack, monkeypatch):
    """The last word is the file's, and it is read anew at every start."""
    monkeypatch.setenv("CHAT_LOG_LEVEL", "warning")
    assert environment_of(stack, program("chat"))["CHAT_LOG_LEVEL"] == "warning"
    (stack.root / "overrides.env").write_text("CHAT_LOG_LEVEL=debug\n")
    assert environment_of(stack, program("chat"))["CHAT_LOG_LEVEL"] == "debug"


def test_file_has_comments_empty_lines_and_quotes(stack):
    """The file is written as such files are."""
    (stack.root / "overrides.env").write_text(
        "# traces\n\n CHAT_A = \"x = y\"\nCHAT_B='z'\nCHAT_C=\nMEDIA_A=1\n"
    )
    expected = {"CHAT_A": "x = y", "CHAT_B": "z", "CHAT_C": ""}
    assert overrides_of(stack, "chat", {}) == expected


@pytest.mark.parametrize("line", ["CHAT_A", "CHATT_A=secret", "=secret"])
def test_wrong_line_is_told_by_number_without_its_text(stack, line):
    """A misspelt name is not silently without effect."""
    (stack.root / "overrides.env").write_text(f"# first\n{line}\n")
    with pytest.raises(StackError, match="line 2") as caught:
        overrides_of(stack, "chat", {})
    assert "secret" not in str(caught.value)
