"""What is deleted in batches is found by an index."""

import pytest

from services.chat.repository.erasing import OF_CONVERSATION, OF_USER
from services.chat.repository.indexes import INDEXES


@pytest.mark.parametrize(
    ("collection", "field"),
    [
        *((name, "conversation_id") for name in OF_CONVERSATION),
        *((name, "user_id") for name in OF_USER),
        ("invites", "created_by"),
    ],
)
def test_nothing_is_purged_by_a_scan(collection, field) -> None:
    """An index that holds every document begins with what a purge asks for."""
    indexes = [index.document for index in INDEXES[collection]]
    whole = [index for index in indexes if "partialFilterExpression" not in index]
    assert field in [next(iter(index["key"])) for index in whole]
