"""Wire models of media's HTTP API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.media.domain import Document, Rendition
from services.media.ports import UploadTicket
from services.media.service import DownloadLink

Id = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    ),
]
"""A UUID in canonical lower-case form."""

_MAX_JSON_INTEGER = 2**53 - 1
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]{1,64}"  # noqa: S105 - RFC 6838's "restricted-name"


class UploadBody(BaseModel):
    """What is to be uploaded, and who will see it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file_name: str = Field(
        min_length=1, max_length=255, description="Display name with its extension."
    )
    content_type: str = Field(
        max_length=200,
        pattern=rf"^{_TOKEN}/{_TOKEN}(?:;[ -~]*)?$",
        description="Must fit the extension; application/octet-stream always does.",
    )
    size_bytes: int = Field(
        ge=1, le=_MAX_JSON_INTEGER, description="Exact length of the file."
    )
    conversation_id: Id | None = Field(
        default=None, description="Its members may read the document."
    )
    project_id: Id | None = Field(
        default=None, description="Its collaborators may read the document."
    )


class TicketView(BaseModel):
    """How to send the bytes: one request, exactly so."""

    method: str
    url: str = Field(description="A secret until it expires.")
    headers: dict[str, str]

    @classmethod
    def of(cls, ticket: UploadTicket) -> "TicketView":
        """Show a ticket."""
        return cls(method=ticket.method, url=ticket.url, headers=ticket.headers)


class UploadView(BaseModel):
    """An announced upload."""

    document_id: str
    upload: TicketView
    expires_at: datetime = Field(description="When the upload link ends.")


class RenditionView(BaseModel):
    """A smaller picture of an image."""

    name: str = Field(description="thumbnail or preview")
    content_type: str
    size_bytes: int
    width: int
    height: int

    @classmethod
    def of(cls, rendition: Rendition) -> "RenditionView":
        """Show a rendition."""
        return cls(
            name=rendition.name,
            content_type=rendition.content_type,
            size_bytes=rendition.size_bytes,
            width=rendition.width,
            height=rendition.height,
        )


class DocumentView(BaseModel):
    """A document as its readers see it."""

    document_id: str
    owner_id: str
    conversation_id: str | None
    project_id: str | None
    status: str = Field(description="uploading, processing, ready or rejected")
    file_name: str
    content_type: str
    size_bytes: int
    width: int | None = Field(description="Of an image, in pixels.")
    height: int | None = Field(description="Of an image, in pixels.")
    sha256: str | None = Field(description="Of the bytes one gets, hexadecimal.")
    renditions: list[RenditionView]
    reject_reason: str | None = Field(description="Why, where it is rejected.")
    created_at: datetime

    @classmethod
    def of(cls, document: Document) -> "DocumentView":
        """Show a document; its place in the store stays here."""
        return cls(
            document_id=document.document_id,
            owner_id=document.owner_id,
            conversation_id=document.scope.conversation_id,
            project_id=document.scope.project_id,
            status=document.status,
            file_name=document.file_name,
            content_type=document.content_type,
            size_bytes=document.size_bytes,
            width=document.width,
            height=document.height,
            sha256=document.sha256,
            renditions=[RenditionView.of(item) for item in document.renditions],
            reject_reason=document.reject_reason,
            created_at=document.created_at,
        )


class LinkView(BaseModel):
    """A link to bytes."""

    url: str = Field(description="A secret until it expires.")
    expires_at: datetime

    @classmethod
    def of(cls, link: DownloadLink) -> "LinkView":
        """Show a link."""
        return cls(url=link.url, expires_at=link.expires_at)
