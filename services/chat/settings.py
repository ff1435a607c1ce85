"""Settings of chat."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import (
    AmqpSettings,
    AuditedServiceSettings,
    CommaList,
    InternalCallerSettings,
    Port,
    RedisSettings,
)
from libs.kernel.rates import Limit
from services.chat.domain.limits import Limits
from services.chat.domain.rates import Rated


class ChatSettings(
    AuditedServiceSettings, AmqpSettings, RedisSettings, InternalCallerSettings
):
    """What chat is told at start."""

    model_config = SettingsConfigDict(env_prefix="CHAT_")

    port: Port = Field(default=21012, description="Port of the HTTP listener.")
    socket_port: Port = Field(
        default=21013, description="Port of the WebSocket listener."
    )
    mongo_database: str = Field(
        default="parley_chat",
        pattern=r"^[a-z0-9_]{1,38}$",
        description="Name of the service's database.",
    )
    storage_key_provider: Literal["file", "aws_kms"] = Field(
        default="file",
        description="Who wraps the data keys of conversations. Of the other one, if "
        "it is set too, what it wrapped still opens.",
    )
    storage_keys_file: Path | None = Field(
        default=None,
        description="Key ring (JSON) that wraps the data keys of conversations.",
    )
    storage_kms_key_id: str | None = Field(
        default=None,
        description="Id, ARN or alias of the AWS KMS key that wraps data keys.",
    )
    storage_kms_region: str = Field(
        default="us-east-1", description="Region of the KMS key."
    )
    storage_kms_endpoint_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+$",
        description="Address of a service that speaks like KMS; AWS if left out.",
    )
    storage_kms_access_key: SecretStr | None = Field(
        default=None,
        description="Access key for KMS; as the AWS SDK finds one if left out (a "
        "role of the machine or pod).",
    )
    storage_kms_secret_key: SecretStr | None = Field(
        default=None, description="Secret key that belongs to the access key."
    )
    storage_kms_threads: int = Field(
        default=8, ge=1, le=64, description="Calls to KMS at the same time."
    )
    data_key_changes: int = Field(
        default=2**20,
        ge=1,
        le=2**31,
        description="Changes of a conversation after which it gets another data key.",
    )
    data_key_days: float = Field(
        default=90, gt=0, description="Age at which a data key is replaced."
    )
    message_transport_keys_file: Path = Field(
        description="Key ring (JSON) that seals bodies and titles in events."
    )
    auth_url: str = Field(
        pattern=r"^https?://[^/\s]+$",
        description="Internal address of auth, for its public keys and revoked "
        "sessions.",
    )
    issuer: str = Field(
        description="Exact issuer of access tokens: the installation's public URL."
    )
    allowed_origins: CommaList = Field(
        default=(),
        description="Origins of browsers that may open a socket, comma-separated; "
        "clients that are no browser send none.",
    )
    members_max: int = Field(
        default=1_000, ge=2, description="Members of one conversation at most."
    )
    title_max_code_points: int = Field(
        default=200, ge=1, le=1_000, description="Length of a title at most."
    )
    topic_max_code_points: int = Field(
        default=1_000, ge=1, le=4_000, description="Length of a topic at most."
    )
    slow_mode_max_seconds: int = Field(
        default=21_600, ge=0, description="The slowest slow mode of a conversation."
    )
    invites_max: int = Field(
        default=100,
        ge=0,
        description="Invite links of one conversation that have not expired, at most.",
    )
    invite_max_seconds: int = Field(
        default=2_592_000, ge=60, description="Lifetime of an invite link at most."
    )
    conversations_opened_per_hour: int = Field(
        default=1_000, ge=1, description="Conversations that one user opens an hour."
    )
    invites_created_per_hour: int = Field(
        default=200, ge=1, description="Invite links that one user makes an hour."
    )
    invites_tried_per_minute: int = Field(
        default=20, ge=1, description="Invite links that one user tries a minute."
    )
    channels_joined_per_minute: int = Field(
        default=60, ge=1, description="Public channels that one user joins a minute."
    )
    messages_per_user_per_second: float = Field(
        default=20,
        gt=0,
        description="Steady rate of one user's messages to one process, over all "
        "sockets and HTTP.",
    )
    messages_per_user_burst: int = Field(
        default=100, ge=1, description="Messages of one user that may come at once."
    )
    bans_max: int = Field(
        default=1_000, ge=0, description="Users banned from one conversation at most."
    )
    pins_max: int = Field(
        default=100, ge=1, description="Pinned messages of one conversation at most."
    )
    edit_window_seconds: int = Field(
        default=0,
        ge=0,
        description="Time after which a message cannot be edited; 0 is never.",
    )
    edits_kept_max: int = Field(
        default=50, ge=1, description="Earlier versions of one message that are kept."
    )
    edit_history_days: int = Field(
        default=0,
        ge=0,
        description="Time an earlier version is kept; 0 is as long as its message.",
    )
    mention_all_members_max: int = Field(
        default=100,
        ge=0,
        description="Members above which a conversation's owners and admins alone "
        "mention all or here.",
    )
    scheduled_max: int = Field(
        default=100, ge=0, description="Scheduled messages of one user at most."
    )
    scheduled_days_max: int = Field(
        default=365, ge=1, description="How far ahead a message may be scheduled."
    )
    writer_lanes: int = Field(
        default=2, ge=1, le=64, description="Commits of messages in flight at once."
    )
    writer_batch: int = Field(
        default=200, ge=1, le=1_000, description="Messages of one commit at most."
    )
    writer_gather_seconds: float = Field(
        default=0.025,
        ge=0,
        le=1,
        description="How long messages gather between two commits under load.",
    )
    writer_queue: int = Field(
        default=2_000,
        ge=1,
        description="Messages waiting in one lane before senders are told to wait.",
    )
    peer_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="Port where other chat processes hand over messages; 0 takes any "
        "free one. Never reached from outside.",
    )
    peer_host: str = Field(
        default="",
        max_length=255,
        description="Name or address under which other chat processes reach this one; "
        "empty: the host it listens on.",
    )
    sockets_max: int = Field(
        default=20_000, ge=1, description="Open sockets of this process at most."
    )
    sockets_per_user: int = Field(
        default=20, ge=1, description="Sockets of one user in this process at most."
    )
    sockets_anonymous_per_address: int = Field(
        default=100,
        ge=1,
        description="Sockets of one address that are not authenticated yet.",
    )
    socket_authenticate_seconds: float = Field(
        default=5, gt=0, description="Time from the handshake to a valid token."
    )
    socket_events_per_second: float = Field(
        default=10, gt=0, description="Steady rate of one socket's events."
    )
    socket_events_burst: int = Field(
        default=30, ge=1, description="Events of one socket that may come at once."
    )
    socket_messages_per_second: float = Field(
        default=10, gt=0, description="Steady rate of one socket's messages."
    )
    socket_messages_burst: int = Field(
        default=30, ge=1, description="Messages of one socket that may come at once."
    )
    socket_ping_seconds: float = Field(
        default=25, gt=0, description="Time between two pings of a socket."
    )
    socket_pong_seconds: float = Field(
        default=20, gt=0, description="Time a client has to answer a ping."
    )
    presence_grace_seconds: float = Field(
        default=2,
        ge=0,
        description="Time after the last socket before a user counts as offline.",
    )
    presence_heartbeat_seconds: float = Field(
        default=15, gt=0, description="Time between two heartbeats of a device."
    )
    live_patience_seconds: float = Field(
        default=0.2,
        gt=0,
        description="Time a missing revision is waited for before it is read.",
    )

    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days that messages are kept where the conversation does not say; "
        "for ever if left out.",
    )
    retention_interval_seconds: float = Field(
        default=3_600, gt=0, description="Time between two looks for what is too old."
    )

    @model_validator(mode="after")
    def _provider_has_a_key(self) -> Self:
        needed = {
            "file": ("storage_keys_file", self.storage_keys_file),
            "aws_kms": ("storage_kms_key_id", self.storage_kms_key_id),
        }
        name, value = needed[self.storage_key_provider]
        if value is None:
            raise ValueError(f"{name} must be set for {self.storage_key_provider}")
        return self

    def limits(self) -> Limits:
        """Return the limits of conversations."""
        return Limits(
            members=self.members_max,
            title_code_points=self.title_max_code_points,
            topic_code_points=self.topic_max_code_points,
            slow_mode_seconds=self.slow_mode_max_seconds,
            invites=self.invites_max,
            invite_seconds=self.invite_max_seconds,
            bans=self.bans_max,
            pins=self.pins_max,
            edit_window_seconds=self.edit_window_seconds,
            edits_kept=self.edits_kept_max,
            edit_history_days=self.edit_history_days,
            mention_all_members=self.mention_all_members_max,
            scheduled=self.scheduled_max,
            schedule_days=self.scheduled_days_max,
        )

    def rates(self) -> dict[Rated, Limit]:
        """Return how often one user does what is counted."""
        hour, minute = 3_600, 60
        rates = {
            Rated.OPEN: (self.conversations_opened_per_hour, hour),
            Rated.INVITE: (self.invites_created_per_hour, hour),
            Rated.ACCEPT: (self.invites_tried_per_minute, minute),
            Rated.JOIN: (self.channels_joined_per_minute, minute),
        }
        return {
            rated: Limit(count / seconds, count)
            for rated, (count, seconds) in rates.items()
        }

    def message_rate(self) -> Limit:
        """Return how often one user sends in one process."""
        return Limit(self.messages_per_user_per_second, self.messages_per_user_burst)
