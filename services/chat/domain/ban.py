"""Who may not come into a conversation."""

from datetime import datetime

import msgspec

from libs.kernel import ConversationId, UserId


class Ban(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps a user out of a conversation, whoever brings them in and however."""

    conversation_id: ConversationId
    user_id: UserId
    banned_by: UserId
    banned_at: datetime
