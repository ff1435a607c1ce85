"""What data keys of conversations are bound to."""


def key_context(conversation_id: str) -> tuple[str, str]:
    """Return what a data key is wrapped for; it opens for no other conversation."""
    return ("conversation", conversation_id)
