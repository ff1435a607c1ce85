"""The servers of a stack keep services apart and come back when they are killed."""

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

pytestmark = pytest.mark.integration


def test_foreign_database_is_refused(stack):
    """A service's MongoDB account reads its own database and no other."""
    with MongoClient(stack.database_url("chat")) as client:
        client["parley_chat"].things.insert_one({"_id": "x"})
        with pytest.raises(OperationFailure):
            client["parley_auth"].things.find_one()
