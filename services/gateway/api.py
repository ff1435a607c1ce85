"""What the gateway answers itself: ``GET /api/v1/status``."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from libs.chassis.version import VERSION
from services.gateway.domain.headers import SECURITY_HEADERS

router = APIRouter(prefix="/api/v1", tags=["status"])


class StatusResponse(BaseModel):
    """The way in is open, and which version it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok"]
    version: str


@router.get("/status")
async def get_status(response: Response) -> StatusResponse:
    """Tell that the way in is open; asks no service."""
    response.headers["Cache-Control"] = "no-store"
    for name, value in SECURITY_HEADERS:
        response.headers[name.decode()] = value.decode()
    return StatusResponse(status="ok", version=VERSION)
