"""What the gateway answers itself: its status, and the description of the API."""

from typing import Annotated, Any, Literal, TypedDict, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from libs.chassis.version import VERSION
from services.gateway.domain.description import Description, takes_gzip
from services.gateway.domain.headers import SECURITY_HEADERS

router = APIRouter(prefix="/api/v1", tags=["status"])

_FRESH_SECONDS = 300
_DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An OpenAPI 3.1 document.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    304: {"description": "It is the one that the client has (`If-None-Match`)."},
}


class OwnState(TypedDict):
    """What the lifespan yields for the gateway's own routes."""

    description: Description


def _description(request: Request) -> Description:
    return cast("Description", request.state.description)


class StatusResponse(BaseModel):
    """The way in is open, and which version it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok"]
    version: str


@router.get("/status")
async def get_status(response: Response) -> StatusResponse:
    """Tell that the way in is open; asks no service."""
    response.headers["Cache-Control"] = "no-store"
    _secure(response)
    return StatusResponse(status="ok", version=VERSION)


@router.get("/openapi.json", response_class=Response, responses=_DOCUMENT)
async def get_description(
    request: Request, description: Annotated[Description, Depends(_description)]
) -> Response:
    """Return this description of the API, the same for everybody."""
    headers = {
        "Cache-Control": f"public, max-age={_FRESH_SECONDS}",
        "ETag": description.tag,
        "Vary": "Accept-Encoding",
    }
    if description.is_known(request.headers.get("If-None-Match", "")):
        response = Response(status_code=304, headers=headers)
    elif takes_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        response = _json(description.compressed, headers)
    else:
        response = _json(description.body, headers)
    _secure(response)
    return response


def _json(body: bytes, headers: dict[str, str]) -> Response:
    return Response(body, headers=headers, media_type="application/json")


def _secure(response: Response) -> None:
    for name, value in SECURITY_HEADERS:
        response.headers[name.decode()] = value.decode()
