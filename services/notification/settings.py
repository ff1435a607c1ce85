"""Settings of notification, from variables that begin with ``NOTIFICATION_``."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import AmqpSettings, MongoSettings, Port, ServiceSettings


class NotificationSettings(ServiceSettings, MongoSettings, AmqpSettings):
    """What notification is told at start."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATION_")

    port: Port = Field(default=21015, description="Port of the HTTP listener.")
    mongo_database: str = Field(
        default="parley_notification",
        pattern=r"^[a-z0-9_]{1,38}$",
        description="Name of the service's database.",
    )
    storage_keys_file: Path = Field(
        description="Key ring that seals addresses, texts and tokens in the database."
    )
    message_transport_keys_file: Path = Field(
        description="Key ring, shared with chat, of texts and titles in events."
    )
    account_transport_keys_file: Path = Field(
        description="Key ring, shared with auth, of addresses and tokens in events."
    )
    smtp_host: str = Field(description="Mail server that takes all mail.")
    smtp_port: Port = Field(default=587, description="Its port.")
    smtp_username: str | None = Field(
        default=None, description="Account at the mail server; no AUTH if left out."
    )
    smtp_password: SecretStr | None = Field(
        default=None, description="Its password; needed with a username."
    )
    smtp_sender: str = Field(
        pattern=r"^[^\r\n]*@[^\r\n]+$",
        description="From address of all mail, with or without a name.",
    )
    smtp_starttls: bool = Field(
        default=True, description="Whether the connection must become TLS (STARTTLS)."
    )
    smtp_tls: bool = Field(
        default=False, description="Whether it is TLS from the first byte (port 465)."
    )
    smtp_ca_file: Path | None = Field(
        default=None,
        description="Certificates the mail server's must lead to; the system's if "
        "left out.",
    )
    smtp_timeout_seconds: float = Field(
        default=4, gt=0, le=10, description="Longest wait for an answer of SMTP."
    )
    smtp_data_seconds: float = Field(
        default=15,
        gt=0,
        le=120,
        description="Longest wait for the answer to a mail's content.",
    )
    smtp_connections: int = Field(
        default=4, ge=1, le=50, description="Mails on the way at the same time."
    )
    fcm_credentials_file: Path | None = Field(
        default=None,
        description="Service account for FCM (JSON); no push is sent if left out.",
    )
    fcm_project_id: str | None = Field(
        default=None, description="Firebase project; the credentials' if left out."
    )
    fcm_timeout_seconds: float = Field(
        default=4, gt=0, le=10, description="Longest wait for an answer of FCM."
    )
    fcm_batch: int = Field(
        default=20, ge=1, le=200, description="Pushes handed over in one call."
    )
    online_grace_seconds: float = Field(
        default=2,
        ge=0,
        le=300,
        description="Wait before a push to somebody online, who may be reading.",
    )
    email_delay_seconds: float = Field(
        default=120,
        ge=0,
        le=86_400,
        description="Wait before a mail about missed messages.",
    )
    email_patience_seconds: float = Field(
        default=900,
        ge=0,
        le=86_400,
        description="Time after which such a mail is sent even to somebody online.",
    )
    push_lifetime_seconds: float = Field(
        default=3_600, gt=0, le=2_419_200, description="Age at which a push is dropped."
    )
    email_lifetime_seconds: float = Field(
        default=86_400,
        gt=0,
        le=604_800,
        description="Age at which a mail about missed messages is dropped.",
    )
    poll_seconds: float = Field(
        default=0.5, gt=0, le=60, description="Pause between looks for due deliveries."
    )
