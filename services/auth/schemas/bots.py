"""Bodies of bots."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from services.auth.schemas.administration import ReasonRequest
from services.auth.schemas.fields import DisplayName
from services.auth.schemas.personal_tokens import PersonalTokenRequest


class BotRequest(ReasonRequest):
    """A new bot."""

    display_name: DisplayName
    handle: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    role: Literal["member", "guest"] = "member"


class BotTokenRequest(ReasonRequest, PersonalTokenRequest):
    """A new token of a bot."""
