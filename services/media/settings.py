"""Settings of media."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import AmqpSettings, AuditedServiceSettings, Port

_URL = r"^https?://[^/\s]+$"
_MEBIBYTE = 1024 * 1024


class MediaSettings(AuditedServiceSettings, AmqpSettings):
    """What media is told at start."""

    model_config = SettingsConfigDict(env_prefix="MEDIA_")

    port: Port = Field(default=21014, description="Port of the HTTP listener.")
    mongo_database: str = Field(
        default="parley_media",
        pattern=r"^[a-z0-9_]{1,38}$",
        description="Name of the service's database.",
    )
    storage_keys_file: Path = Field(
        description="Key ring (JSON) that seals file names in the database."
    )
    s3_endpoint_url: str = Field(
        pattern=_URL, description="Where this service reaches the object store."
    )
    s3_public_url: str = Field(
        pattern=_URL,
        description="Where clients reach the object store: the files edge. Upload and "
        "download links are signed for it.",
    )
    s3_bucket: str = Field(
        default="parley-media",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Bucket of this service.",
    )
    s3_region: str = Field(default="us-east-1", description="Region of the bucket.")
    s3_credentials_file: Path = Field(
        description="Keys of this service's own S3 identity (JSON: access_key, "
        "secret_key); followed when the file is replaced."
    )
    s3_threads: int = Field(
        default=8, ge=1, le=64, description="Calls to the store at the same time."
    )
    max_document_bytes: int = Field(
        default=25 * _MEBIBYTE,
        ge=1,
        le=1024 * _MEBIBYTE,
        description="Largest file that can be uploaded, in bytes.",
    )
    upload_seconds: int = Field(
        default=300, ge=1, le=300, description="How long an upload link works."
    )
    download_seconds: int = Field(
        default=60, ge=1, le=60, description="How long a download link works."
    )
    image_children: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Images decoded at the same time; each may take 512 MB and a core.",
    )
    abandoned_hours: float = Field(
        default=24,
        gt=0,
        description="Age at which an upload that never came is forgotten.",
    )
    sweep_seconds: float = Field(
        default=300, gt=0, description="Time between two sweeps of the quarantine."
    )
