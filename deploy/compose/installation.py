"""What an installation by Compose has chosen, and the file that tells Compose."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.layout import CHECKOUT, write_private
from deploy.embedded.ports import DEFAULT_BASE, port_of, validate_base
from libs.chassis.version import VERSION

DEFAULT_ROOT = CHECKOUT / ".parley" / "compose"
OFFICIAL, BUILT = "official", "built"
REPLICAS, MONITORING = "replicas", "monitoring"
GROUP_READS = 0o640
_HTTPS_PORT = 443
_NOT_IN_PATHS = set(":$#\"'\\\n")
"""What means something else in settings that Compose reads, and in its mounts."""

_CHOICES = {
    "PARLEY_PROJECT": "parley",
    "PARLEY_IMAGES": OFFICIAL,
    "PARLEY_IMAGE_PREFIX": "",
    "PARLEY_PROFILES": "",
    "PARLEY_PORT_BASE": str(DEFAULT_BASE),
    "PARLEY_HOST": "localhost",
    "PARLEY_FILES_HOST": "127.0.0.1",
    "PARLEY_NETWORKS": "172.16.0.0/12,192.168.0.0/16",
}
_PUBLISHED = {
    "PARLEY_HTTP_PORT": "edge",
    "PARLEY_HTTPS_PORT": "edge_tls",
    "PARLEY_BROKER_PORT": "rabbitmq_management",
    "PARLEY_MAIL_PORT": "smtp_view",
    "PARLEY_PUSH_PORT": "fcm_control",
    "PARLEY_PROMETHEUS_PORT": "prometheus",
    "PARLEY_GRAFANA_PORT": "grafana",
}
"""Variable of `docker-compose.yml` to the listener whose number the port has."""


@dataclass(frozen=True)
class Installation:
    """One installation: a folder, and its choices.

    Attributes:
        root: Absolute; secrets and settings are below it, data is in Docker's volumes.
        choices: Every name of `_CHOICES`.
    """

    root: Path
    choices: Mapping[str, str]

    @property
    def secrets(self) -> Path:
        """A folder a container, each mounted by that container alone."""
        return self.root / "secrets"

    @property
    def settings_file(self) -> Path:
        """What ``docker compose --env-file`` reads."""
        return self.root / "settings.env"

    @property
    def own_file(self) -> Path:
        """A Compose file of the operator's, laid over all others if it is there."""
        return self.root / "own.yml"

    @property
    def profiles(self) -> tuple[str, ...]:
        """Profiles that are switched on."""
        return tuple(filter(None, self.choices["PARLEY_PROFILES"].split(",")))

    @property
    def is_built(self) -> bool:
        """Whether the servers' images are built here instead of pulled."""
        return self.choices["PARLEY_IMAGES"] == BUILT

    @property
    def members(self) -> tuple[str, ...]:
        """MongoDB's members, as they and the services reach them."""
        names = ["mongodb"]
        if REPLICAS in self.profiles:
            names += ["mongodb-2", "mongodb-3"]
        return tuple(f"{name}:27017" for name in names)

    def port(self, listener: str) -> int:
        """Return the port on loopback under which a listener is published."""
        return port_of(int(self.choices["PARLEY_PORT_BASE"]), listener)

    def origin(self, host: str) -> str:
        """Return the public origin of one of the two hosts."""
        port = self.port("edge_tls")
        name = self.choices[host]
        return f"https://{name}" + ("" if port == _HTTPS_PORT else f":{port}")

    def settings(self) -> dict[str, str]:
        """Return the variables of `docker-compose.yml`."""
        ports = {name: str(self.port(of)) for name, of in _PUBLISHED.items()}
        return {
            **self.choices,
            **ports,
            "COMPOSE_PROJECT_NAME": self.choices["PARLEY_PROJECT"],
            "COMPOSE_PROFILES": self.choices["PARLEY_PROFILES"],
            "PARLEY_VERSION": VERSION,
            "PARLEY_SECRETS": str(self.secrets),
            "PARLEY_SECRETS_GROUP": str(os.getgid()),
            "PARLEY_PUBLIC_URL": self.origin("PARLEY_HOST"),
            "PARLEY_FILES_URL": self.origin("PARLEY_FILES_HOST"),
            "PARLEY_MONGODB_MEMBERS": ",".join(self.members),
        }

    def refuse_fewer_members(self) -> None:
        """Refuse to leave out members of MongoDB's set: one of three is no majority.

        Raises:
            StackError: The installation has `replicas`, and these choices do not.
        """
        had = _recorded(self.settings_file).get("PARLEY_PROFILES", "").split(",")
        if REPLICAS in had and REPLICAS not in self.profiles:
            raise StackError(
                f"PARLEY_PROFILES leaves out {REPLICAS}, but MongoDB's set has three "
                "members here, and the one that stays takes no write alone. Nothing "
                "was stopped. Name it too, or take two members out of the set before: "
                "docs/compose.md#choices"
            )

    def record(self) -> None:
        """Write the settings, which later commands read."""
        lines = [f"{name}={value}\n" for name, value in self.settings().items()]
        write_private(self.settings_file, "".join(lines))


def open_installation(
    root: Path = DEFAULT_ROOT, environment: Mapping[str, str] | None = None
) -> Installation:
    """Return an installation: what the environment says, else what it had, else ours.

    Args:
        root: Its folder, which may not exist yet.
        environment: None: of this process.

    Raises:
        StackError: A choice makes no sense.
    """
    root = root.resolve()
    given = os.environ if environment is None else environment
    known = _recorded(root / "settings.env")
    choices = {
        # Said to be nothing is said too, where nothing is what it is by default.
        name: given[name]
        if name in given and (given[name] or not default)
        else known.get(name, default)
        for name, default in _CHOICES.items()
    }
    if choices["PARLEY_IMAGES"] not in (OFFICIAL, BUILT):
        raise StackError(f"PARLEY_IMAGES is {OFFICIAL} or {BUILT}")
    unknown = set(choices["PARLEY_PROFILES"].split(",")) - {"", REPLICAS, MONITORING}
    if unknown:
        raise StackError(f"PARLEY_PROFILES: there is no {', '.join(sorted(unknown))}")
    if not choices["PARLEY_PORT_BASE"].isdecimal():
        raise StackError("PARLEY_PORT_BASE is no port number")
    validate_base(int(choices["PARLEY_PORT_BASE"]))
    if set(str(root)) & _NOT_IN_PATHS:
        raise StackError(f"{root}: Compose takes no such folder's name; use another")
    return Installation(root, choices)


def _recorded(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines)
