"""Signing in with providers: opened and put together here."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from libs.chassis.errors import StartError
from libs.crypto import FieldSealer, KeyRingError
from libs.crypto.keyring import read_private_file
from libs.kernel import Clock
from services.auth.app.accounts import registration_rules
from services.auth.app.adapters import Adapters
from services.auth.clients import HttpProviderClient, Outbound
from services.auth.domain import (
    Provider,
    Providers,
    ProvidersInvalidError,
    Redirects,
    RegistrationRules,
)
from services.auth.ports import ProviderClients
from services.auth.service import (
    AccountNotices,
    Entrance,
    ProviderAccounts,
    ProviderJourney,
    ProviderLinks,
    ProviderLogout,
    ProviderSignIn,
    ProviderStepUp,
    Reauthentication,
    StepUp,
    WaysIn,
)
from services.auth.settings import AuthSettings


@dataclass(frozen=True)
class ConfiguredProviders:
    """What the settings say of providers, and who asks them."""

    providers: Providers
    clients: ProviderClients


class ProviderState(TypedDict):
    """The part of `AuthState` that is about providers."""

    provider_journey: ProviderJourney
    provider_sign_in: ProviderSignIn
    provider_links: ProviderLinks
    provider_logout: ProviderLogout
    provider_step_up: ProviderStepUp


async def open_providers(
    settings: AuthSettings, stack: AsyncExitStack, clock: Clock
) -> ConfiguredProviders:
    """Read the file of providers and open the pool that asks them.

    Raises:
        StartError: The file or a secret's file is wrong.
    """
    path = settings.oidc_providers_file
    providers = await asyncio.to_thread(read_providers, path)
    outbound = await stack.enter_async_context(Outbound.opened())
    clients = {}
    for one in providers:
        secret = await asyncio.to_thread(_secret, one)
        client = HttpProviderClient(one, secret, outbound, clock)
        stack.push_async_callback(client.aclose)
        clients[one.provider_id] = client
    return ConfiguredProviders(providers, clients)


def read_providers(path: Path | None) -> Providers:
    """Read the file of providers; none without a file.

    Raises:
        StartError: It is wrong; says where.
    """
    if path is None:
        return Providers()
    try:
        return Providers.parse(path.read_bytes())
    except (OSError, ProvidersInvalidError) as error:
        raise StartError(f"providers file {path}: {error}") from None


@dataclass(frozen=True)
class ProviderParts:
    """What the use cases of providers share with all others."""

    adapters: Adapters
    configured: ConfiguredProviders
    entrance: Entrance
    step_up: StepUp
    reauthentication: Reauthentication
    transport: FieldSealer


def provider_state(settings: AuthSettings, parts: ProviderParts) -> ProviderState:
    """Put the use cases of providers together."""
    journey = ProviderJourney(
        providers=parts.configured.providers,
        clients=parts.configured.clients,
        flows=parts.adapters.stores.identities.flows,
        throttle=parts.adapters.counters.guess_throttle,
        redirects=Redirects(
            settings.public_url,
            settings.oidc_return_paths,
            settings.oidc_native_redirects,
        ),
        clock=parts.adapters.clock,
    )
    accounts = _accounts(parts, registration_rules(settings))
    return ProviderState(
        provider_journey=journey,
        provider_sign_in=ProviderSignIn(journey, accounts, parts.entrance),
        provider_links=_links(parts, journey),
        provider_logout=_logout(parts),
        provider_step_up=ProviderStepUp(
            journey, parts.adapters.stores.identities.links, parts.reauthentication
        ),
    )


def _accounts(parts: ProviderParts, rules: RegistrationRules) -> ProviderAccounts:
    stores = parts.adapters.stores
    return ProviderAccounts(
        bus=parts.adapters.bus,
        providers=parts.configured.providers,
        users=stores.users,
        links=stores.identities.links,
        rules=rules,
        notices=AccountNotices(parts.transport),
        audit=stores.audit,
        clock=parts.adapters.clock,
    )


def _links(parts: ProviderParts, journey: ProviderJourney) -> ProviderLinks:
    stores = parts.adapters.stores
    return ProviderLinks(
        bus=parts.adapters.bus,
        journey=journey,
        users=stores.users,
        links=stores.identities.links,
        factors=stores.second_factors,
        ways_in=WaysIn(stores.credentials, stores.identities.links),
        step_up=parts.step_up,
        control=parts.entrance.control,
        notices=AccountNotices(parts.transport),
        audit=stores.audit,
        clock=parts.adapters.clock,
    )


def _logout(parts: ProviderParts) -> ProviderLogout:
    stores = parts.adapters.stores
    return ProviderLogout(
        bus=parts.adapters.bus,
        providers=parts.configured.providers,
        clients=parts.configured.clients,
        links=stores.identities.links,
        sessions=stores.sessions,
        pending=stores.pending_sign_ins,
        logouts=stores.identities.logouts,
        control=parts.entrance.control,
        clock=parts.adapters.clock,
    )


def _secret(provider: Provider) -> str | None:
    if provider.client_secret_file is None:
        return None
    path = Path(provider.client_secret_file)
    try:
        secret = read_private_file(path).strip()
    except KeyRingError as error:
        raise StartError(f"client secret {path}: {error}") from None
    if not secret:
        raise StartError(f"client secret {path}: it is empty")
    return secret
