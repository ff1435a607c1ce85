"""``media.events``: documents and their renditions; emitted by media.

File names never travel: they are private and no consumer of version 1 needs them.
"""

from datetime import datetime

from libs.events.event import Event


class MediaUploaded(Event, type="media.uploaded", version=1, key="document_id"):
    """The bytes arrived in quarantine."""

    document_id: str
    owner_id: str
    conversation_id: str | None
    project_id: str | None
    size_bytes: int


class MediaProcessed(Event, type="media.processed", version=1, key="document_id"):
    """The document passed its checks and may be read; renditions are names."""

    document_id: str
    owner_id: str
    conversation_id: str | None
    project_id: str | None
    content_type: str
    size_bytes: int
    renditions: tuple[str, ...]


class MediaRejected(Event, type="media.rejected", version=1, key="document_id"):
    """The document failed a check; ``reason`` is a stable slug."""

    document_id: str
    owner_id: str
    reason: str


class MediaVersionAdded(
    Event, type="media.version_added", version=1, key="document_id"
):
    """A newer version of the bytes replaced the current one."""

    document_id: str
    version: int
    added_by: str


class MediaDeleted(Event, type="media.deleted", version=1, key="document_id"):
    """The document and its bytes are gone."""

    document_id: str
    deleted_by: str


class MediaShared(Event, type="media.shared", version=1, key="document_id"):
    """A share link was made."""

    document_id: str
    share_id: str
    shared_by: str
    expires_at: datetime | None


class MediaShareRevoked(
    Event, type="media.share_revoked", version=1, key="document_id"
):
    """A share link was ended."""

    document_id: str
    share_id: str
    revoked_by: str
