"""The part of the command line that needs no server."""

import pytest

from libs.events import Worker
from libs.events.__main__ import main
from libs.events.catalog import ConversationRead, MessageDeleted
from libs.events.documents.asyncapi import asyncapi_document


def test_documents_are_written_and_checked(tmp_path):
    """A stale or missing document fails the check, a fresh one passes."""
    docs = ("docs", "--folder", str(tmp_path / "docs"))
    assert main([*docs, "--check"]) == 1
    assert main([*docs]) == 0
    assert main([*docs, "--check"]) == 0
    (tmp_path / "docs" / "events.md").write_text("old")
    assert main([*docs, "--check"]) == 1


def test_golden_schemas_are_written_and_checked(tmp_path):
    """The same for the schemas; a changed one is refused."""
    schemas = ("schemas", "--folder", str(tmp_path))
    assert main([*schemas, "--check"]) == 1
    assert main([*schemas]) == 0
    assert main([*schemas, "--check"]) == 0
    (tmp_path / "user.created.2.json").write_text("{}")
    assert main([*schemas]) == 2
    assert main([*schemas, "--force"]) == 0


def test_a_wrong_command_is_refused():
    """Argparse ends the program with its usage."""
    with pytest.raises(SystemExit):
        main(["nonsense"])


def test_a_time_that_is_none_is_refused(capsys):
    """``--older-than`` takes a number and a unit."""
    with pytest.raises(SystemExit):
        main(["dlq", "show", "a.b", "--older-than", "soon"])
    assert "not a time" in capsys.readouterr().err


def test_documents_name_who_sends_and_who_receives():
    """Operations follow from workers; a consumer's carry its queue."""
    worker = Worker("chat", emits=[MessageDeleted])
    worker.subscribe(ConversationRead, name="reads")(None)
    worker.subscribe_live(MessageDeleted, name="live")(None)
    operations = asyncapi_document([worker])["operations"]
    assert operations["chat.send.message.deleted"]["action"] == "send"
    received = operations["chat.reads.receive.conversation.read"]
    assert received["x-queue"] == "chat.reads"
    live = operations["chat.live.live.receive.message.deleted"]
    assert live["x-queue"] == "chat.live.*-live"
