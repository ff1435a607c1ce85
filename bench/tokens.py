"""Access tokens as a stack's auth signs them, for people who exist nowhere else."""

import time
from pathlib import Path
from typing import Any

from deploy.embedded.environment import service_environment
from deploy.embedded.layout import Stack
from libs.chassis.tokens import sign_token
from libs.crypto import SigningKeys
from libs.kernel import SessionId, UserId, new_id

_TOKEN_SECONDS = 3_600


class AccessTokens:
    """Signs tokens with a stack's own keys."""

    def __init__(self, stack: Stack) -> None:
        auth = service_environment(stack, "auth")
        keys = SigningKeys.from_file(Path(auth["AUTH_SIGNING_KEYS_FILE"]))
        self._key = keys.current
        self._issuer = auth["AUTH_ISSUER"]

    def of(self, user_id: UserId, session_id: SessionId) -> str:
        """Return a token that outlives any benchmark."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": "parley",
            "sub": user_id,
            "sid": session_id,
            "jti": new_id(),
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "roles": ["member"],
        }
        return sign_token(self._key, claims, typ="at+jwt")
