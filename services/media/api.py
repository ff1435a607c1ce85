"""HTTP in: uploads and documents, with the full public paths."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict, cast

from fastapi import APIRouter, Depends, Path, Query, Request

from libs.chassis.audit import Refusals
from libs.chassis.exports import (
    ExportResponse,
    Record,
    export_response,
)
from libs.chassis.pagination import Limit, Page, cursor_id, encode_cursor
from libs.chassis.paths import id_or
from libs.chassis.security import CurrentPrincipal, FreshPrincipal
from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import UserId
from services.media.domain import (
    Document,
    DocumentNotFoundError,
    Scope,
    ScopeAmbiguousError,
    conversation_scope,
    private_scope,
    project_scope,
)
from services.media.schemas import (
    DocumentView,
    Id,
    LinkView,
    TicketView,
    UploadBody,
    UploadView,
)
from services.media.service import DocumentService, UploadRequest, UploadService

router = APIRouter(prefix="/api/v1/media", tags=["media"])


export_router = APIRouter(prefix="/api/v1/me/export", tags=["exports"])
ROUTERS = (router, export_router)


class MediaState(TypedDict):
    """What the lifespan opens and every request finds in its state."""

    uploads: UploadService
    documents: DocumentService
    refusals: Refusals


def _uploads(request: Request) -> UploadService:
    return cast("UploadService", request.state.uploads)


def _documents(request: Request) -> DocumentService:
    return cast("DocumentService", request.state.documents)


Uploads = Annotated[UploadService, Depends(_uploads)]
Documents = Annotated[DocumentService, Depends(_documents)]
DocumentPath = Annotated[
    str, Path(description="Id of the document."), id_or(DocumentNotFoundError)
]

RenditionPath = Annotated[str, Path(description="thumbnail or preview.")]


@router.post("/uploads", status_code=201)
async def announce_upload(
    body: UploadBody, principal: CurrentPrincipal, uploads: Uploads
) -> UploadView:
    """Announce a file and get the request that uploads it.

    The answer's ``upload`` is to be sent exactly so, once, with the file as its body;
    then the upload is completed.
    """
    document, ticket = await uploads.announce_upload(
        UploadRequest(
            owner_id=principal.user_id,
            file_name=body.file_name,
            content_type=body.content_type,
            size_bytes=body.size_bytes,
            conversation_id=body.conversation_id,
            project_id=body.project_id,
        )
    )
    return UploadView(
        document_id=document.document_id,
        upload=TicketView.of(ticket),
        expires_at=document.upload_expires_at,
    )


@router.post("/uploads/{document_id}/complete", status_code=202)
async def complete_upload(
    document_id: DocumentPath, principal: CurrentPrincipal, uploads: Uploads
) -> DocumentView:
    """Tell that the file is there; its checks begin. May be repeated."""
    document = await uploads.complete_upload(document_id, principal.user_id)
    return DocumentView.of(document)


@router.get("/documents")
async def list_documents(
    *,
    principal: CurrentPrincipal,
    documents: Documents,
    conversation_id: Annotated[Id | None, Query()] = None,
    project_id: Annotated[Id | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    limit: Limit = 50,
) -> Page[DocumentView]:
    """List what is ready in a conversation or project, newest first.

    Neither given: the caller's own private documents.
    """
    scope = _scope(conversation_id, project_id, principal.user_id)
    found = await documents.list_documents(
        scope, principal.user_id, before_id=cursor_id(cursor, "before"), limit=limit + 1
    )
    page = found[:limit]
    next_cursor = None
    if len(found) > limit:
        next_cursor = encode_cursor({"before": page[-1].document_id})
    return Page[DocumentView](
        items=[DocumentView.of(document) for document in page], next_cursor=next_cursor
    )


@router.get("/documents/{document_id}")
async def get_document(
    document_id: DocumentPath, principal: CurrentPrincipal, documents: Documents
) -> DocumentView:
    """Return a document's status and description."""
    document = await documents.get_document(document_id, principal.user_id)
    return DocumentView.of(document)


@router.get("/documents/{document_id}/content")
async def get_content(
    document_id: DocumentPath, principal: CurrentPrincipal, documents: Documents
) -> LinkView:
    """Return a link to the bytes; they are offered as an attachment."""
    link = await documents.link_content(document_id, principal.user_id)
    return LinkView.of(link)


@router.get("/documents/{document_id}/renditions/{name}")
async def get_rendition(
    document_id: DocumentPath,
    name: RenditionPath,
    principal: CurrentPrincipal,
    documents: Documents,
) -> LinkView:
    """Return a link to a smaller picture; a browser may show it in place."""
    link = await documents.link_rendition(document_id, name, principal.user_id)
    return LinkView.of(link)


@router.delete("/documents/{document_id}", status_code=204)
async def delete_document(
    document_id: DocumentPath, principal: CurrentPrincipal, documents: Documents
) -> None:
    """Delete a document of one's own, with its bytes."""
    await documents.delete_document(document_id, principal.user_id)


@export_router.get("/media", response_class=ExportResponse)
async def export_documents(
    principal: FreshPrincipal, documents: Documents
) -> ExportResponse:
    """Give the list of what the caller uploaded, as JSON lines; bytes by its ids."""
    user_id = UserId(principal.user_id)
    records = _own_documents(user_id, documents)
    return export_response("media", user_id, records)


async def _own_documents(
    user_id: UserId, documents: DocumentService
) -> AsyncIterator[Record]:
    async def page(before: str | None) -> list[Document]:
        return await documents.list_own(
            user_id, before_id=before, limit=WHOLE_LIST_PAGE
        )

    async for document in paged(page, lambda one: one.document_id):
        yield "document", DocumentView.of(document).model_dump(mode="json")


def _scope(conversation_id: str | None, project_id: str | None, user_id: str) -> Scope:
    if conversation_id and project_id:
        raise ScopeAmbiguousError
    if conversation_id:
        return conversation_scope(conversation_id)
    return project_scope(project_id) if project_id else private_scope(user_id)
