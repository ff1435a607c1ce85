"""Chat: conversations, messages and real time.

Owns the database ``parley_chat`` (conversations, members, messages and a projection
of users). Emits ``message.*``, ``conversation.*`` and ``presence.changed``. Consumes
``user.*``, ``project.*`` and ``session.revoked``, and its own events for live
delivery: every writer reaches every client through the exchanges.
"""
