"""Media: documents, their bytes in S3, their renditions, and who may read them.

Owns the database ``parley_media`` (documents, members, scopes and avatars of the access
projection, leases) and the bucket of the same service. Emits ``media.*``; consumes
``conversation.*`` and ``project.*`` (access projection), ``user.updated`` (which
picture somebody shows) and its own ``media.uploaded``
(checks and renditions) and ``media.deleted`` (removal of the bytes). File names are
sealed at rest and never travel in events or logs.
"""
