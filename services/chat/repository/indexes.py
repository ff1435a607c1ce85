"""The indexes of ``parley_chat``, each with the query it serves."""

from pymongo import ASCENDING, IndexModel

INDEXES: dict[str, list[IndexModel]] = {
    "conversations": [
        # One direct conversation a pair, one channel ``general`` a project.
        IndexModel([("unique_key", ASCENDING)], unique=True, sparse=True),
        # A project's conversations.
        IndexModel(
            [("project_id", 1), ("_id", 1)],
            partialFilterExpression={"project_id": {"$exists": True}},
        ),
        # Public channels of a project, or of none.
        IndexModel(
            [("is_public", 1), ("project_id", 1), ("_id", 1)],
            partialFilterExpression={"is_public": True},
        ),
        # What asks for a retention of its own.
        IndexModel(
            [("retention_days", 1), ("_id", 1)],
            partialFilterExpression={"retention_days": {"$gt": 0}},
        ),
    ],
    "members": [
        # A user's conversations, the last joined first.
        IndexModel(
            [
                ("user_id", 1),
                ("is_active", 1),
                ("joined_at", -1),
                ("conversation_id", -1),
            ]
        ),
        # Some conversations of a user.
        IndexModel([("user_id", 1), ("is_active", 1), ("conversation_id", -1)]),
        # A conversation's members, and how many of them there are.
        IndexModel([("conversation_id", 1), ("is_active", 1), ("user_id", 1)]),
        # What changed since a revision.
        IndexModel([("conversation_id", 1), ("revision", 1)]),
        # What changed of a user's own since a revision.
        IndexModel([("user_id", 1), ("user_revision", 1)]),
    ],
    "drafts": [
        # What changed of a user's own since a revision; the last changed first.
        IndexModel([("user_id", 1), ("user_revision", 1)]),
        # A user's drafts that are not cleared.
        IndexModel([("user_id", 1), ("is_cleared", 1), ("user_revision", 1)]),
        # A conversation's drafts, to see whether they open.
        IndexModel([("conversation_id", 1)]),
    ],
    "bookmarks": [
        # What changed of a user's own since a revision.
        IndexModel([("user_id", 1), ("user_revision", 1)]),
        # A user's bookmarks that are not removed.
        IndexModel([("user_id", 1), ("is_removed", 1), ("user_revision", 1)]),
        # A conversation's bookmarks, to see whether their notes open.
        IndexModel([("conversation_id", 1)]),
    ],
    "messages": [
        # Unread mentions of a user, and of every member.
        IndexModel(
            [("conversation_id", 1), ("mentions", 1), ("seq", 1)],
            partialFilterExpression={"mentions": {"$exists": True}},
        ),
        IndexModel(
            [("conversation_id", 1), ("mention_kinds", 1), ("seq", 1)],
            partialFilterExpression={"mention_kinds": {"$exists": True}},
        ),
        # History; two writers can never give the same number.
        IndexModel([("conversation_id", 1), ("seq", 1)], unique=True),
        # What changed since a revision; likewise.
        IndexModel([("conversation_id", 1), ("revision", 1)], unique=True),
        # A resend finds the first result, for ever.
        IndexModel(
            [("conversation_id", 1), ("sender_id", 1), ("client_message_id", 1)],
            unique=True,
        ),
        # Pinned messages, the last pinned first.
        IndexModel(
            [("conversation_id", 1), ("pinned_at", -1), ("_id", -1)],
            partialFilterExpression={"pinned_at": {"$exists": True}},
        ),
        # Threads, the last answered first.
        IndexModel(
            [("conversation_id", 1), ("last_reply_seq", -1)],
            partialFilterExpression={"last_reply_seq": {"$exists": True}},
        ),
        # A thread's messages, and how many of them are unread.
        IndexModel(
            [("conversation_id", 1), ("thread_seq", 1), ("seq", 1)],
            partialFilterExpression={"thread_seq": {"$exists": True}},
        ),
    ],
    "message_edits": [
        # What a message said before, the newest first.
        IndexModel([("message_id", 1), ("number", -1)], unique=True),
        # What retention takes, with its messages.
        IndexModel([("conversation_id", 1), ("seq", 1)]),
        # What was kept for a while.
        IndexModel([("expires_at", 1)], expireAfterSeconds=0),
    ],
    "thread_follows": [
        # The threads of a conversation that a user follows.
        IndexModel([("conversation_id", 1), ("user_id", 1), ("thread_seq", -1)]),
        # What changed of a user's own since a revision; what goes with a user who is
        # erased.
        IndexModel([("user_id", 1), ("user_revision", 1)]),
    ],
    "scheduled_messages": [
        # What is due, or was left by a process that died.
        IndexModel([("state", 1), ("due_at", 1)]),
        # What a user has scheduled, the next first.
        IndexModel([("user_id", 1), ("due_at", 1), ("_id", 1)]),
        # What goes with a deleted conversation.
        IndexModel([("conversation_id", 1)]),
    ],
    "bans": [
        # A conversation's bans.
        IndexModel([("conversation_id", 1), ("user_id", 1)]),
        # What names a user who is erased.
        IndexModel([("user_id", 1)]),
    ],
    "invites": [
        # The link of a token.
        IndexModel([("token_hash", 1)], unique=True),
        # A conversation's links.
        IndexModel([("conversation_id", 1), ("_id", 1)]),
        # The links of a user who is erased.
        IndexModel([("created_by", 1)]),
        # What has expired is forgotten.
        IndexModel([("expires_at", 1)], expireAfterSeconds=86_400),
    ],
    "presence_cards": [
        # What users show; what goes with a user who is erased.
        IndexModel([("user_id", 1)]),
        # Statuses that have expired.
        IndexModel(
            [("status_expires_at", 1)],
            partialFilterExpression={"status_expires_at": {"$type": "date"}},
        ),
    ],
    "jobs": [
        # The job that waits longest.
        IndexModel([("due_at", 1)]),
    ],
    "writer_leases": [
        # Processes that are gone are forgotten.
        IndexModel([("until", 1)], expireAfterSeconds=3_600),
    ],
    "users": [
        # Somebody by their handle.
        IndexModel([("handle", ASCENDING)], sparse=True),
    ],
}
"""What must be there; `schema` creates what is missing, by command alone.

An index that is taken out here stays in the database until a migration drops it.
"""
