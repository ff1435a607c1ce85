"""Wire models of presence and of what users say of themselves."""

from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, Field

from services.chat.domain.presence import CustomStatus, LastSeen
from services.chat.schemas.fields import RequestModel
from services.chat.service.presence_views import PresenceView, status_wire, view_wire


class SetCustomStatus(RequestModel):
    """Body of PUT /presence/custom-status: an emoji, a text, or both."""

    emoji: str | None = Field(default=None, min_length=1, max_length=64)
    text: str = Field(default="", max_length=400)
    expires_at: AwareDatetime | None = None


class ShowLastSeen(RequestModel):
    """Body of PUT /presence/last-seen: who may learn it, and whose one may learn."""

    last_seen: LastSeen


class CustomStatusResource(BaseModel):
    """What a user says of themselves just now."""

    emoji: str | None
    text: str
    expires_at: datetime | None

    @classmethod
    def of(cls, status: CustomStatus) -> Self:
        """Return a status as it is shown."""
        return cls.model_validate(status_wire(status))


class PresenceResource(BaseModel):
    """A user's presence; a time is told of those who are gone and let it be."""

    user_id: str
    status: Literal["online", "away", "offline"]
    last_seen_at: datetime | None
    custom_status: CustomStatusResource | None


class PresencesResource(BaseModel):
    """Presences; users who are not to be seen are left out."""

    presences: list[PresenceResource]

    @classmethod
    def of(cls, views: list[PresenceView]) -> Self:
        """Return presences as they are shown."""
        return cls.model_validate({"presences": [view_wire(view) for view in views]})


class OwnPresenceResource(BaseModel):
    """What the caller has chosen to show."""

    custom_status: CustomStatusResource | None
    last_seen: LastSeen
