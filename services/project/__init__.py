"""Projects (workspaces) and who works in them.

Owns the database ``parley_project``: projects, collaborators and a projection of
users. Emits ``project.*``; consumes ``user.*`` to know whom it may let in and whom
it has to let go. Names and descriptions are ciphertext at rest and in events.
"""
