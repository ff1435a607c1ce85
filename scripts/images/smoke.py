"""Run each image as production does, on real servers: ``make image-smoke S=chat``.

A container has a read-only root, no capability, no way to new privileges, bounded
memory and the service's own secrets alone. It must become ready, answer its health
check, run its commands by another argument, and end with status 0 on SIGTERM. A stack
of its own gives the servers. What must not be in an image is looked for too.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from deploy.embedded.servers.rabbitmq import topology_environment
from libs.chassis.version import VERSION
from scripts.smoke import run_each
from tests.support.stack import RunningStack

USER = 10001
_DATA = "/var/lib/parley"
_ABSENT = ("pip", "gcc", "cc", "make", "g++", "as", "ld", "git", "curl", "wget")
_LOOK = f"""
import importlib.util as i, json, os, shutil, stat
found = [name for name in {_ABSENT!r} if shutil.which(name)]
found += [name for name in ("pip", "ensurepip", "setuptools") if i.find_spec(name)]
for top in ("/usr", "/opt", "/app"):
    for folder, _, names in os.walk(top):
        for name in names:
            mode = os.lstat(path := os.path.join(folder, name)).st_mode
            if stat.S_ISREG(mode) and mode & 0o6000:
                found.append(path)
print(json.dumps({{"uid": os.getuid(), "found": found,
                  "services": sorted(x.name for x in os.scandir("/app/services")
                                     if x.name != "__pycache__")}}))
"""


def image_of(service: str) -> str:
    """Return the name under which `make image` tags a service's image."""
    return f"parley-{service}:{VERSION}"


def confined(folder: Path) -> list[str]:
    """Return the options of production's confinement, and the secrets of a folder."""
    return [
        *("--rm", "--network", "host", "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--memory", "768m"),
        *("--tmpfs", f"{_DATA}:uid={USER},mode=0700", "--tmpfs", "/tmp:mode=1777"),  # noqa: S108 - the container's own
        *("--volume", f"{folder}:{folder}:ro"),
    ]


def settings_of(stack: RunningStack, service: str, folder: Path) -> dict[str, str]:
    """Copy a service's secrets where its container may read them; return its settings.

    Args:
        stack: Whose servers are used.
        service: Its name.
        folder: Empty; gets the copies.
    """
    for source in (stack.root / "secrets" / service, stack.root / "secrets" / "public"):
        shutil.copytree(source, folder / source.name)
    shutil.copyfile(stack.stack.ca_file, folder / "ca.pem")
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, USER, USER)
    environment = {
        # The authority first: it lies below the secrets.
        name: value.replace(str(stack.stack.ca_file), f"{folder}/ca.pem").replace(
            f"{stack.root}/secrets", str(folder)
        )
        for name, value in stack.service_environment(service).items()
        if not name.endswith("_LOG_FILE")
    }
    return environment | {f"{service.upper()}_DATA_DIR": _DATA}


def inspect(service: str) -> None:
    """Print an image's size; refuse one that holds more than it needs."""
    image = image_of(service)
    size = int(_output("docker", "image", "inspect", "-f", "{{.Size}}", image))
    command = ["docker", "run", "--rm", "--entrypoint", "python", image, "-c", _LOOK]
    seen = json.loads(_output(*command))
    wanted = {"uid": USER, "found": [], "services": ["__init__.py", service]}
    if seen != wanted:
        raise SystemExit(f"{image} is not what it should be: {seen}")
    print(f"  image: {image}, {size / 1e6:.0f} MB", flush=True)


def live_url(port: int) -> str:
    """Return what a container's health check asks, of a service at a port."""
    return f"http://127.0.0.1:{port}/health/live"


def probe(name: str, port: int) -> None:
    """Ask as the image's health check does; a port that nobody has must fail."""
    ask = ("docker", "exec", name, "python", "-m", "libs.chassis.probe")
    subprocess.run([*ask, live_url(port)], check=True)
    if subprocess.run([*ask, live_url(1)], check=False).returncode != 1:
        raise SystemExit(f"the health check of {name} passes on a closed port")


class _Trial:
    """Starts containers, keeps their secrets until the end, and looks at them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: dict[str, list[str]] = {}

    def launch(self, stack: RunningStack, service: str) -> "subprocess.Popen[bytes]":
        """Start a service's container in the foreground of a child process."""
        folder = self._folder / service
        folder.mkdir()
        settings = settings_of(stack, service, folder)
        options = confined(folder)
        for name, value in settings.items():
            options += ["--env", f"{name}={value}"]
        self._options[service] = options
        command = ["docker", "run", "--name", f"parley-smoke-{service}", *options]
        with (folder / "log").open("wb") as log:
            return subprocess.Popen([*command, image_of(service)], stderr=log)

    def look(self, stack: RunningStack, service: str) -> None:
        """Ask its health check, then run the steps of a release by the same image."""
        probe(f"parley-smoke-{service}", stack.port(service))
        _try_commands(self._options[service], stack, service)


def _try_commands(options: list[str], stack: RunningStack, service: str) -> None:
    """Run steps of a release by the same image, with other arguments."""
    run = ["docker", "run", *options]
    if service == "chat":
        _silent(*run, image_of(service), "migrate", "status")
    for name, value in topology_environment(stack.stack).items():
        run += ["--env", f"{name}={value}"]
    workers = f"services.{service}.consumers:worker"
    run += ["--entrypoint", "python", image_of(service), "-m", "libs.events"]
    _silent(*run, "topology", "apply", "--workers", workers)


def _silent(*command: str) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{command[-3:]} failed: {result.stdout}{result.stderr}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(services: list[str]) -> int:
    """Try the image of each service; return 0 when all did as they should."""
    for service in services:
        inspect(service)
    with tempfile.TemporaryDirectory(prefix="parley-image-") as folder:
        Path(folder).chmod(0o755)
        trial = _Trial(Path(folder))
        try:
            return 1 if run_each(services, trial.launch, trial.look) else 0
        except SystemExit:
            for log in Path(folder).glob("*/log"):
                print(f"--- {log.parent.name}\n{log.read_text()[-2000:]}")
            raise


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
