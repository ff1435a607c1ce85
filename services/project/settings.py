"""Settings of project, from variables that begin with ``PROJECT_``."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.chassis.settings import AmqpSettings, AuditedServiceSettings, Port


class ProjectSettings(AuditedServiceSettings, AmqpSettings):
    """What project is told at start."""

    model_config = SettingsConfigDict(env_prefix="PROJECT_")

    port: Port = Field(default=21016, description="Port of the HTTP listener.")
    mongo_database: str = Field(
        default="parley_project",
        pattern=r"^[a-z0-9_]{1,38}$",
        description="Name of the service's database.",
    )
    storage_keys_file: Path = Field(
        description="Key ring that seals names and descriptions in the database."
    )
    project_transport_keys_file: Path = Field(
        description="Key ring, shared with notification, that seals names in events."
    )
