"""A provider says that somebody signed out there: their sessions end here too.

Source: OpenID Connect Back-Channel Logout 1.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from libs.events import EventBus, Transaction
from libs.kernel import Clock
from services.auth.domain import (
    SESSIONS_PER_USER_MAX,
    Provider,
    Providers,
    RevokeReason,
    Session,
    hash_secret,
)
from services.auth.domain.errors import (
    LogoutTokenInvalidError,
    ProviderTokenInvalidError,
)
from services.auth.ports import (
    LogoutRepository,
    PendingSignInRepository,
    ProviderClients,
    ProviderLinkRepository,
    SessionRepository,
)
from services.auth.service.id_tokens import (
    LogoutNotice,
    check_logout_token,
    session_hash_of,
)
from services.auth.service.sessions import SessionControl

_REMEMBERED_AFTER_EXPIRY = timedelta(minutes=1)
"""Longer than the leeway with which a token is still taken."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ProviderLogout:
    """Ends sessions on a provider's word."""

    bus: EventBus
    providers: Providers
    clients: ProviderClients
    links: ProviderLinkRepository
    sessions: SessionRepository
    pending: PendingSignInRepository
    logouts: LogoutRepository
    control: SessionControl
    clock: Clock

    async def end(self, provider_id: str, logout_token: str) -> None:
        """End what a logout token names: one session of the provider, or a person's.

        Raises:
            ProviderMissingError: There is no such provider.
            LogoutTokenInvalidError: The token proves nothing, or was shown before.
            UnavailableError: The provider's keys or the store cannot be had.

        Emits: session.revoked for each.
        """
        provider = self.providers.get(provider_id)
        notice = await self._checked(provider, logout_token)
        token_hash = hash_secret(f"{provider.issuer}|{notice.token_id}")
        expires_at = datetime.fromtimestamp(notice.expires_at, UTC)

        async def store(transaction: Transaction) -> list[Session]:
            is_new = await self.logouts.add(
                token_hash, expires_at + _REMEMBERED_AFTER_EXPIRY, transaction.session
            )
            if not is_new:
                raise LogoutTokenInvalidError
            ended: list[Session] = []
            for session in await self._named(provider, notice, transaction):
                ended += await self.control.end_in(
                    transaction,
                    session,
                    RevokeReason.LOGOUT,
                    actor_id=f"provider:{provider_id}",
                )
            return ended

        ended = await self.bus.run_transaction(store)
        await self.control.announce(ended)
        _log.info("provider_logged_out", provider=provider_id, count=len(ended))

    async def _checked(self, provider: Provider, text: str) -> LogoutNotice:
        try:
            return await check_logout_token(
                text,
                provider=provider,
                client=self.clients[provider.provider_id],
                now=self.clock.now().timestamp(),
            )
        except ProviderTokenInvalidError as error:
            _log.warning(
                "logout_token_refused",
                provider=provider.provider_id,
                reason=error.reason,
            )
            raise LogoutTokenInvalidError from None

    async def _named(
        self, provider: Provider, notice: LogoutNotice, transaction: Transaction
    ) -> Sequence[Session]:
        """Return the live sessions that a notice is about; void what waits of it.

        A ``sid`` is enough by itself; with a ``sub`` beside it both have to fit.
        """
        provider_id, found, session_hash = provider.provider_id, None, ""
        if notice.session:
            session_hash = session_hash_of(provider, notice.session)
            found = await self.sessions.list_of_provider(
                provider_id, session_hash, transaction.session
            )
            if not notice.subject:
                await self.pending.remove_of_provider(
                    provider_id, transaction.session, session_hash=session_hash
                )
                return found
        subject = (provider.issuer, notice.subject)
        owner = await self.links.find(*subject, transaction.session)
        if owner is None:
            return []
        await self.pending.remove_of_provider(
            provider_id,
            transaction.session,
            session_hash=session_hash,
            user_id=owner,
        )
        if found is None:
            found = await self.sessions.list_live(
                owner, at=self.clock.now(), after=None, limit=SESSIONS_PER_USER_MAX
            )
        return [
            session
            for session in found
            if (session.user_id, session.provider_id) == (owner, provider_id)
        ]
