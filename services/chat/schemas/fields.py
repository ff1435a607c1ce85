"""What the bodies of requests are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

IdText = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    ),
]
SeqNumber = Annotated[int, Field(ge=1, le=2**53, strict=True)]


class RequestModel(BaseModel):
    """A body whose unknown fields are refused and whose errors show no input."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
