"""Wire models of bans."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from libs.kernel import UserId
from services.chat.domain.ban import Ban
from services.chat.schemas.fields import IdText, RequestModel


class BanUser(RequestModel):
    """Body of POST /conversations/{id}/bans."""

    user_id: IdText


class BanResource(BaseModel):
    """Who is kept out, by whom, since when."""

    user_id: UserId
    banned_by: UserId
    banned_at: datetime

    @classmethod
    def of(cls, ban: Ban) -> Self:
        """Return a ban as it is shown."""
        return cls(
            user_id=ban.user_id, banned_by=ban.banned_by, banned_at=ban.banned_at
        )
