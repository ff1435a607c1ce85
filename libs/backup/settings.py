"""What the commands of backup are told."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class BackupSettings(BaseSettings):
    """Settings, with the prefix ``BACKUP_``; secrets may be files."""

    model_config = SettingsConfigDict(
        env_prefix="BACKUP_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    folder: Path = Field(description="Folder that holds the backups.")
    mongo_url: SecretStr = Field(
        description="MongoDB connection string of an account with the role `backup`; "
        "to restore, an administrator's."
    )
    prefix: str = Field(
        default="parley_",
        pattern=r"^[a-z0-9_]{1,30}$",
        description="Databases whose names begin so are backed up.",
    )
    keep_days: int = Field(
        default=30, ge=1, description="Days to whose moments a restore is possible."
    )
    objects: Literal["none", "copy", "versions"] = Field(
        default="none",
        description="copy: the bytes of objects too; versions: the bucket keeps them, "
        "each backup notes which; none: objects are left out.",
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="Address of the object store."
    )
    s3_bucket: str = Field(default="parley-media", description="Its bucket.")
    s3_region: str = Field(default="us-east-1", description="Its region.")
    s3_credentials_file: Path | None = Field(
        default=None,
        description="JSON with access_key and secret_key; the SDK's own ways if left "
        "out.",
    )
    metrics_folder: Path | None = Field(
        default=None,
        description="Folder of node_exporter's textfile collector, for parley_backup.",
    )
