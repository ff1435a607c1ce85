"""People of a benchmark: known to chat, each with a token as auth signs it."""

from dataclasses import dataclass, field

import aiohttp
from pydantic import SecretStr

from bench.chat.processes import ChatProcess
from bench.events.servers import Place
from bench.tokens import AccessTokens
from deploy.embedded.keys import internal_file
from deploy.embedded.layout import Stack
from libs.chassis.mongo import open_mongo
from libs.chassis.security import InternalTokenSigner, Principal
from libs.chassis.settings import MongoSettings
from libs.kernel import SessionId, UserId, new_id
from services.chat.domain.user import User
from services.chat.repository import MongoUserRepository


@dataclass(frozen=True)
class Badge:
    """Who somebody is to chat's two listeners."""

    user_id: UserId = field(default_factory=lambda: UserId(new_id()))
    session_id: SessionId = field(default_factory=lambda: SessionId(new_id()))


class Registry:
    """Makes people and their conversations.

    Args:
        stack: Whose keys sign.
        place: Where chat keeps its projection of users.
    """

    def __init__(self, stack: Stack, place: Place) -> None:
        self._tokens = AccessTokens(stack)
        self._gateway = InternalTokenSigner(internal_file(stack, "gateway"), "gateway")
        self._mongo = MongoSettings(
            mongo_url=SecretStr(place.mongo_url), mongo_database=place.database
        )

    async def admit(self, count: int) -> list[Badge]:
        """Return so many new people that chat knows as active."""
        badges = [Badge() for _ in range(count)]
        async with open_mongo(self._mongo) as database:
            users = MongoUserRepository(database)
            for badge in badges:
                user = User(user_id=badge.user_id, is_verified=True)
                await users.put(user, session=None)
        return badges

    def access_token(self, badge: Badge) -> str:
        """Return an access token as auth would sign it."""
        return self._tokens.of(badge.user_id, badge.session_id)

    def internal_token(self, badge: Badge) -> str:
        """Return the token with which the gateway passes on somebody's request."""
        principal = Principal(badge.user_id, badge.session_id)
        return self._gateway.token("chat", principal)

    async def open_group(self, process: ChatProcess, members: list[Badge]) -> str:
        """Open a group over REST, as the gateway would pass it on."""
        token = self.internal_token(members[0])
        body = {
            "kind": "group",
            "title": "Bench",
            "member_ids": [member.user_id for member in members[1:]],
        }
        url = f"{process.url}/api/v1/conversations"
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=body, headers=headers) as answer,
        ):
            content = await answer.json(content_type=None)
            assert answer.status == 201, content
            return str(content["conversation_id"])
