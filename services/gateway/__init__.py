"""The only HTTP way in: routes, checks tokens, limits, and proxies to the services.

Owns no data; what it keeps in Redis may be lost. Emits nothing; listens live to
``session.revoked``, so that a revoked session is refused within a second.
"""
