"""Settings of auth, from variables that begin with ``AUTH_``."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import (
    AmqpSettings,
    AuditedServiceSettings,
    CommaList,
    Port,
    RedisSettings,
)
from services.auth.domain import RegistrationMode


class AuthSettings(AuditedServiceSettings, AmqpSettings, RedisSettings):
    """What auth is told at start."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    port: Port = Field(default=21011, description="Port of the HTTP listener.")
    mongo_database: str = Field(
        default="parley_auth",
        pattern=r"^[a-z0-9_]{1,38}$",
        description="Name of the service's database.",
    )
    issuer: str = Field(
        min_length=1,
        max_length=256,
        description="Claim iss of access tokens; the public URL.",
    )
    pepper_keys_file: Path = Field(
        description="Key ring whose keys pepper passwords; losing it loses them all."
    )
    refresh_keys_file: Path = Field(
        description="Key ring that makes refresh tokens; losing it ends all sessions."
    )
    storage_keys_file: Path = Field(
        description="Key ring that seals and indexes mail addresses in the database."
    )
    account_transport_keys_file: Path = Field(
        description="Key ring, shared with notification, that seals what a mail needs."
    )
    signing_keys_file: Path = Field(
        description="Private Ed25519 keys (JWK set with current) of access tokens."
    )
    oidc_providers_file: Path | None = Field(
        default=None,
        description="OpenID providers to sign in with (docs/running.md); none if left "
        "out.",
    )
    oidc_return_paths: Annotated[CommaList, Field(min_length=1)] = Field(
        default=("/sign-in", "/account", "/"),
        description="Paths of the web client that a sign-in with a provider may lead "
        "to; the first one is for errors.",
    )
    oidc_native_redirects: CommaList = Field(
        default=(),
        description="Addresses of native clients that it may lead to, exactly; "
        "loopback ones always may.",
    )
    bcrypt_cost: int = Field(
        default=12,
        ge=10,
        le=16,
        description="Logarithmic cost of a password hash; old hashes follow at login.",
    )
    hashing_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Threads that hash passwords; the number of cores if left out.",
    )
    hashing_waiting_max: int = Field(
        default=64,
        ge=0,
        le=10_000,
        description="Sign-ins that may wait for a thread; more are told to come back.",
    )
    login_failures_free: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Failed sign-ins of one account from one address before waits.",
    )
    login_account_failures_free: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Failed sign-ins of one account from anywhere before waits.",
    )
    login_address_failures: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Failed sign-ins of one client address in 10 minutes.",
    )
    second_factor_roles: CommaList = Field(
        default=(),
        description="Roles whose holders must have a second factor, until somebody "
        "changes the stored rule; * for everyone.",
    )
    registration_mode: RegistrationMode = Field(
        default=RegistrationMode.OPEN,
        description="Who opens an account: open, invite_only or closed.",
    )
    registration_domains: str = Field(
        default="",
        pattern=r"^([a-z0-9.-]+(,[a-z0-9.-]+)*)?$",
        description="Mail domains that may register, comma-separated; empty for any.",
    )
    members_invite: bool = Field(
        default=False,
        description="Whether members invite people, not only administrators.",
    )
    even_answer_seconds: float = Field(
        default=0.2,
        ge=0,
        le=5,
        description="How long answers take that must not tell what was found.",
    )
    personal_token_days_max: int = Field(
        default=365,
        ge=1,
        le=3_660,
        description="Days that a personal access token lives at most.",
    )
    deletion_grace_days: float = Field(
        default=14,
        ge=0,
        le=365,
        description="Days in which a deletion can be called off; 0 for none.",
    )
    erasing_seconds: float = Field(
        default=60,
        ge=0.1,
        le=3_600,
        description="How often accounts are looked for whose grace is over.",
    )
    account_mails_per_hour: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Mails with links that one address gets in an hour.",
    )
