"""The statuses of a document, and its keys."""

from datetime import UTC, datetime, timedelta

import pytest

from services.media.domain import (
    RENDITION_NAMES,
    Document,
    DocumentStateError,
    DocumentStatus,
    Rendition,
    Scope,
    ScopeKind,
    conversation_scope,
    new_storage_key,
    private_scope,
    project_scope,
)
from services.media.renditions.images import RENDITION_SIDES

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_document(status=DocumentStatus.UPLOADING):
    """Return a document in a status."""
    return Document(
        document_id="d",
        owner_id="u",
        scope=private_scope("u"),
        status=status,
        file_name="secret-name.png",
        content_type="image/png",
        size_bytes=10,
        storage_key="k",
        created_at=NOW,
        upload_expires_at=NOW + timedelta(minutes=5),
    )


STEPS = {
    "completed": lambda document: document.completed(NOW),
    "accepted": lambda document: document.accepted(
        content_type="image/png", size_bytes=9, sha256="0" * 64
    ),
    "rejected": lambda document: document.rejected("type_mismatch"),
    "deleted": lambda document: document.deleted(),
}
ALLOWED = {
    ("uploading", "completed"): "processing",
    ("processing", "accepted"): "ready",
    ("processing", "rejected"): "rejected",
    ("uploading", "deleted"): "deleted",
    ("processing", "deleted"): "deleted",
    ("ready", "deleted"): "deleted",
    ("rejected", "deleted"): "deleted",
}


@pytest.mark.parametrize("status", list(DocumentStatus))
@pytest.mark.parametrize("step", STEPS)
def test_state_machine(status, step):
    """Each step is taken from exactly the statuses it belongs to."""
    document = a_document(status)
    expected = ALLOWED.get((status.value, step))
    if expected is None:
        with pytest.raises(DocumentStateError) as refusal:
            STEPS[step](document)
        assert refusal.value.details == {"status": status}
    else:
        assert STEPS[step](document).status.value == expected


def test_deletion_forgets_the_name():
    """What stays of a deleted document is its id and its keys."""
    assert a_document().deleted().file_name == ""


def test_nothing_private_in_a_representation():
    """A document in a log line or a traceback tells neither name nor key."""
    text = repr(a_document())
    assert "secret-name" not in text
    assert "storage_key" not in text


def test_keys_are_random_and_long():
    """An object's name has 160 random bits and nothing of the client's (UP-5)."""
    keys = {new_storage_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(len(key) == 40 for key in keys)


def test_objects_of_a_document():
    """Quarantine, content and renditions lie apart."""
    document = a_document()
    assert document.quarantine_key == "quarantine/k"
    assert document.content_key == "documents/k"
    assert document.rendition_key("thumbnail") == "renditions/k/thumbnail"


def test_all_objects_are_known():
    """What the child makes is what a deletion removes."""
    assert set(RENDITION_SIDES) == set(RENDITION_NAMES)
    names = [key.rpartition("/")[2] for key in a_document().kept_keys]
    assert names == ["k", *RENDITION_NAMES]


def test_rendition_by_name():
    """A rendition is found by its name."""
    made = Rendition("thumbnail", "image/webp", 5, 3, 2)
    document = a_document(DocumentStatus.PROCESSING).accepted(
        content_type="image/png",
        size_bytes=9,
        sha256="0" * 64,
        picture_size=(30, 20),
        renditions=(made,),
    )
    assert document.rendition("thumbnail") is made
    assert document.rendition("preview") is None
    assert (document.width, document.height) == (30, 20)


@pytest.mark.parametrize(
    "scope", [private_scope("a"), conversation_scope("b"), project_scope("c")]
)
def test_scope_round_trip(scope):
    """A home survives its text form."""
    assert Scope.from_key(scope.key) == scope
    assert scope.conversation_id == ("b" if scope.id == "b" else None)
    assert scope.project_id == ("c" if scope.id == "c" else None)
    assert isinstance(scope.kind, ScopeKind)
