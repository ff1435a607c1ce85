"""Base models: closed, strict on the way in, frozen on the way out."""

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """A body that a client sends; unknown fields are refused (MA-1)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ResponseModel(BaseModel):
    """A body that a client gets: exactly these fields (MA-2)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
