"""Indexes of `parley_notification`."""

from datetime import timedelta

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notification.repository.guard import Database

EXCERPTS_KEPT = timedelta(days=90)
NOTIFICATIONS_KEPT = timedelta(days=90)
DELIVERIES_KEPT = timedelta(days=14)
SUPPRESSIONS_KEPT = timedelta(days=30)

_INDEXES = {
    "members": [IndexModel([("conversation_id", ASCENDING), ("is_member", ASCENDING)])],
    "excerpts": [
        IndexModel(
            [("sent_at", ASCENDING)],
            expireAfterSeconds=int(EXCERPTS_KEPT.total_seconds()),
        )
    ],
    "notifications": [
        IndexModel([("user_id", ASCENDING), ("_id", DESCENDING)]),
        IndexModel(
            [("user_id", ASCENDING), ("is_read", ASCENDING), ("_id", DESCENDING)]
        ),
        IndexModel(
            [
                ("user_id", ASCENDING),
                ("conversation_id", ASCENDING),
                ("seq", ASCENDING),
            ],
            partialFilterExpression={"is_read": False},
        ),
        IndexModel([("message_id", ASCENDING)]),
        IndexModel(
            [("cause_event_id", ASCENDING), ("user_id", ASCENDING)], unique=True
        ),
        IndexModel(
            [("created_at", ASCENDING)],
            expireAfterSeconds=int(NOTIFICATIONS_KEPT.total_seconds()),
        ),
    ],
    "devices": [
        IndexModel([("token_hash", ASCENDING)], unique=True),
        IndexModel([("user_id", ASCENDING)]),
    ],
    "deliveries": [
        IndexModel(
            [("causes", ASCENDING), ("channel", ASCENDING), ("target", ASCENDING)],
            unique=True,
        ),
        IndexModel(
            [("channel", ASCENDING), ("due_at", ASCENDING)],
            partialFilterExpression={"state": "pending"},
        ),
        IndexModel(
            [("target", ASCENDING), ("conversation_id", ASCENDING)],
            unique=True,
            partialFilterExpression={"is_open": True},
        ),
        IndexModel(
            [("holder", ASCENDING)],
            partialFilterExpression={"holder": {"$exists": True}},
        ),
        IndexModel(
            [("finished_at", ASCENDING)],
            expireAfterSeconds=int(DELIVERIES_KEPT.total_seconds()),
        ),
    ],
    "suppressions": [
        IndexModel(
            [("at", ASCENDING)],
            expireAfterSeconds=int(SUPPRESSIONS_KEPT.total_seconds()),
        ),
        IndexModel([("user_id", ASCENDING)]),
    ],
}


async def create_indexes(database: Database) -> None:
    """Make the indexes that are missing, and with them the collections."""
    for collection, models in _INDEXES.items():
        await database[collection].create_indexes(models)
