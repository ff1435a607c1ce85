"""Auth: people, their credentials and their sessions.

Owns users, passwords, linked identities and sessions in ``parley_auth``. Emits
``user.*``, ``account.*`` and ``session.*``; consumes ``media.*`` (pictures that may
become an avatar). Every token of the
house is issued here: short access tokens that others check with the JWKS, and
rotating refresh tokens that only auth can read. Flows and promises: docs/auth.md.
"""
