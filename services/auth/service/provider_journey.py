"""To a provider and back: what a browser brings home is a proven identity.

No session begins here. The identity waits under a one-time code, which only the
browser or the client that asked can redeem: to sign in (`ProviderSignIn`) or to link
(`ProviderLinks`). Sources: OpenID Connect Core 1.0; RFC 7636, 8252, 9207, 9700.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from libs.kernel import AppError, Clock
from services.auth.domain import (
    FLOW_LIFETIME,
    PROOF_LIFETIME,
    Destination,
    FlowPurpose,
    FlowSecrets,
    Guess,
    ProofHolder,
    Provider,
    ProviderFlow,
    ProviderIdentity,
    ProviderProof,
    Providers,
    Redirects,
    challenge_of,
    hash_secret,
    new_secret,
)
from services.auth.domain.errors import (
    ProviderRefusedError,
    ProviderSignInInvalidError,
    ProviderTokenInvalidError,
)
from services.auth.ports import (
    GuessThrottle,
    ProviderClients,
    ProviderFlowRepository,
)
from services.auth.service.guesses import counted
from services.auth.service.id_tokens import (
    check_fresh,
    check_id_token,
    identity_of,
    subject_of,
)
from services.auth.service.provider_redirects import Answer, Arrival, Departure

_log = structlog.get_logger(__name__)


# A provider that knows its user still asks them to prove it once more (Core, 3.1.2.1).
_ANEW = {"prompt": "login", "max_age": "0"}


@dataclass(frozen=True)
class ProviderJourney:
    """Sends browsers to providers and takes them back.

    Attributes:
        redirects: Where a sign-in may lead, and what begins our ``redirect_uri``.
    """

    providers: Providers
    clients: ProviderClients
    flows: ProviderFlowRepository
    throttle: GuessThrottle
    redirects: Redirects
    clock: Clock

    async def start(
        self, provider_id: str, destination: Destination, purpose: FlowPurpose
    ) -> Departure:
        """Return where the browser goes, and what it keeps for its way back.

        Raises:
            ProviderMissingError: There is no such provider.
            ProviderUnavailableError: It does not describe itself.
        """
        provider = self.providers.get(provider_id)
        secrets = FlowSecrets.generate()
        address = await self.clients[provider_id].authorization_address(
            {
                "response_type": "code",
                "client_id": provider.client_id,
                "redirect_uri": self._redirect_uri(provider),
                "scope": " ".join(provider.scopes),
                "state": secrets.state,
                "nonce": secrets.nonce,
                "code_challenge": challenge_of(secrets.verifier),
                "code_challenge_method": "S256",
                **(_ANEW if purpose is FlowPurpose.STEP_UP else {}),
            }
        )
        flow = ProviderFlow(
            state_hash=hash_secret(secrets.state),
            binding_hash=hash_secret(secrets.binding),
            provider_id=provider_id,
            purpose=purpose,
            destination=destination,
            expires_at=self.clock.now() + FLOW_LIFETIME,
        )
        await self.flows.add_flow(flow)
        return Departure(address, secrets.binding)

    async def finish(self, provider_id: str, answer: Answer) -> Arrival:
        """Take a browser back; a state is good for one answer, right or wrong.

        Returns:
            Where it goes, with a code for the identity or with the error's code.

        Raises:
            ProviderMissingError: There is no such provider.
            ProviderSignInInvalidError: No such flow of this browser and provider:
                nobody knows where to send it.
        """
        provider = self.providers.get(provider_id)
        flow = await self.flows.take_flow(hash_secret(answer.state))
        now = self.clock.now()
        if flow is None or not flow.is_of(provider_id, answer.binding, now):
            _log.warning("provider_state_refused", provider=provider_id)
            raise ProviderSignInInvalidError
        try:
            identity = await self._identity(provider, answer, flow.purpose)
        except AppError as error:
            _log.warning(
                "provider_sign_in_failed",
                provider=provider_id,
                code=error.code,
                reason=getattr(error, "reason", ""),
            )
            return Arrival(flow.destination, flow.purpose, error=error.code)
        code = await self._keep(identity, flow)
        return Arrival(flow.destination, flow.purpose, code=code)

    async def redeem(
        self, code: str, purpose: FlowPurpose, holder: ProofHolder, guess: Guess
    ) -> ProviderIdentity:
        """Return the identity of a one-time code.

        Raises:
            ProviderSignInInvalidError: Unknown, spent, expired, for another purpose or
                of another browser or client.
            AttemptsThrottledError: Too many such codes were tried.
            UnavailableError: The counters cannot be reached.
        """
        async with counted(self.throttle, guess, wrong=ProviderSignInInvalidError):
            proof = await self.flows.take_proof(hash_secret(code))
            if proof is None or not proof.fits(purpose, holder, self.clock.now()):
                raise ProviderSignInInvalidError
        return proof.identity

    async def _identity(
        self, provider: Provider, answer: Answer, purpose: FlowPurpose
    ) -> ProviderIdentity:
        client = self.clients[provider.provider_id]
        await self._check_sender(provider, answer)
        if answer.error or not answer.code:
            raise ProviderRefusedError
        secrets = FlowSecrets(answer.state, answer.binding)
        tokens = await client.redeem(
            answer.code,
            verifier=secrets.verifier,
            redirect_uri=self._redirect_uri(provider),
        )
        claims = await check_id_token(
            tokens.id_token,
            tokens.access_token,
            provider=provider,
            client=client,
            nonce=secrets.nonce,
            now=self.clock.now().timestamp(),
        )
        if purpose is FlowPurpose.STEP_UP:
            check_fresh(claims, self.clock.now().timestamp())
        if provider.claims.email not in claims and tokens.access_token:
            more = await client.userinfo(tokens.access_token)
            claims = _joined(claims, more)
        return identity_of(claims, provider)

    async def _check_sender(self, provider: Provider, answer: Answer) -> None:
        """Refuse one provider's answer in another one's name (RFC 9207)."""
        if answer.issuer is None:
            if await self.clients[provider.provider_id].sends_issuer():
                raise ProviderTokenInvalidError("iss_missing")
        elif answer.issuer != provider.issuer:
            raise ProviderTokenInvalidError("iss_parameter")

    async def _keep(self, identity: ProviderIdentity, flow: ProviderFlow) -> str:
        code = new_secret()
        proof = ProviderProof(
            code_hash=hash_secret(code),
            identity=identity,
            purpose=flow.purpose,
            binding_hash=flow.binding_hash,
            challenge=flow.destination.challenge,
            expires_at=self.clock.now() + PROOF_LIFETIME,
        )
        await self.flows.add_proof(proof)
        return code

    def _redirect_uri(self, provider: Provider) -> str:
        path = f"/api/v1/auth/oidc/{provider.provider_id}/callback"
        return f"{self.redirects.public_url}{path}"


def _joined(claims: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add what userinfo says, if it is about the same person (Core, section 5.3.2)."""
    if more and subject_of(more) != subject_of(claims):
        raise ProviderTokenInvalidError("userinfo_sub")
    return {**more, **claims}
