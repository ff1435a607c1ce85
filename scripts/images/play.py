"""Run manifests as they are rendered, by podman: ``make k8s-play S="auth chat"``.

``podman kube play`` starts the Deployments of the overlay ``dev`` with production's
security context, on servers of a stack of its own. Changed is only what podman, or a
machine in place of a cluster, cannot do: addresses, ports and the settings that name
them; the image's name; the volume of secrets, which podman would make readable for
everybody. Each service must get ready, show that it is confined, and go in good order.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from scripts.images.smoke import USER, image_of, live_url
from scripts.smoke import wait_ready
from tests.support.stack import RunningStack, running_stack

SERVICES = ["auth", "chat", "notification"]
_SECRETS = "/run/secrets/parley"
_KEPT = ("_FILE", "_DIR", "_INSTANCE_ID")
_NEEDED = ("podman", "catatonit", "runc")
_CONF = """[containers]
default_ulimits=["nofile=4096:4096","nproc=4096:4096"]
log_driver="k8s-file"
[engine]
events_logger="file"
runtime="runc"
"""
_CONFINED = {
    "CapEff": "0000000000000000",
    "CapBnd": "0000000000000000",
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "Uid": f"{USER} {USER} {USER} {USER}",
}


def manifests() -> list[dict[str, Any]]:
    """Return what the overlay ``dev`` renders to."""
    kubectl = Path(sys.executable).parent / "kubectl"
    command = [str(kubectl), "kustomize", "deploy/k8s/overlays/dev"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def playable(
    deployment: dict[str, Any], here: dict[str, str], folder: Path
) -> dict[str, Any]:
    """Return a Deployment that podman can play; its security context stays as it is.

    Args:
        deployment: As rendered.
        here: What is otherwise on this machine, by the names of variables.
        folder: Its secrets, as files.
    """
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    service = deployment["metadata"]["name"]
    container["image"] = f"localhost/{image_of(service)}"
    del container["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        del container[probe]  # podman asks them by systemd, or not at all
    given = [item for item in container["env"] if item["name"] not in here]
    container["env"] = [
        *(item for item in given if "fieldRef" not in item.get("valueFrom", {})),
        *({"name": name, "value": value} for name, value in here.items()),
    ]
    for volume in spec["volumes"]:
        if volume["name"] == "secrets":
            del volume["projected"]
            volume["hostPath"] = {"path": str(folder), "type": "Directory"}
    return deployment


def settings_of(stack: RunningStack, service: str, folder: Path) -> dict[str, str]:
    """Put a service's secrets into a folder; return what else is otherwise here."""
    secrets = stack.root / "secrets"
    for source in ((secrets / service), (secrets / "public")):
        for path in source.iterdir():
            shutil.copyfile(path, folder / path.name)
    shutil.copyfile(stack.stack.ca_file, folder / "ca.pem")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, USER, USER)
        path.chmod(0o500 if path.is_dir() else 0o440)
    prefix = service.upper()
    here = {
        name: value
        for name, value in stack.service_environment(service).items()
        if name.startswith(prefix) and not name.endswith(_KEPT)
    }
    if service == "notification":
        here["NOTIFICATION_SMTP_CA_FILE"] = f"{_SECRETS}/ca.pem"
    return here


class Played:
    """A Deployment that podman runs."""

    def __init__(self, service: str, folder: Path) -> None:
        self._file = folder / f"{service}.yaml"
        self._container = f"{service}-pod-0-service"
        self._service = service

    def start(self, stack: RunningStack) -> None:
        """Play it; return when it is ready."""
        secrets = self._file.parent / self._service
        secrets.mkdir()
        here = settings_of(stack, self._service, secrets)
        found = manifests()
        values = [item for item in found if item["kind"] == "ConfigMap"]
        (deployment,) = [
            item
            for item in found
            if item["kind"] == "Deployment"
            and item["metadata"]["name"] == self._service
        ]
        document = [*values, playable(deployment, here, secrets)]
        self._file.write_text(yaml.safe_dump_all(document), encoding="utf-8")
        began = time.monotonic()
        _podman("kube", "play", "--network", "host", str(self._file))
        with subprocess.Popen(["podman", "wait", self._container]) as waiting:
            wait_ready(waiting, stack, self._service)
            seconds = time.monotonic() - began
            self._look(stack.port(self._service))
            print(f"  ready: {self._service}, after {seconds:.1f} s", flush=True)
            waiting.terminate()

    def _look(self, port: int) -> None:
        """Refuse a container that is less confined than the manifest says."""
        status = _podman("exec", self._container, "cat", "/proc/1/status")
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        seen = {name: " ".join(lines[name].split()) for name in _CONFINED}
        if seen != _CONFINED:
            raise SystemExit(f"{self._service} is not confined: {seen}")
        probe = ("python", "-m", "libs.chassis.probe", live_url(port))
        _podman("exec", self._container, *probe)
        write = ("python", "-c", "open('/app/new', 'w')")
        command = ["podman", "exec", self._container, *write]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            raise SystemExit(f"the root of {self._service} can be written to")

    def stop(self) -> int:
        """End it as a node does; return its status."""
        began = time.monotonic()
        _podman("stop", "--time", "90", self._container)
        seconds = time.monotonic() - began
        status = _podman("inspect", "-f", "{{.State.ExitCode}}", self._container)
        print(f"  stopped: {self._service}, status {status.strip()}", end="")
        print(f", after {seconds:.1f} s", flush=True)
        return int(status)

    def log(self) -> str:
        """Return the end of what it said."""
        command = ["podman", "logs", "--tail", "20", self._container]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.stdout + result.stderr

    def remove(self) -> None:
        """Take it away, whatever became of it."""
        command = ["podman", "kube", "down", str(self._file)]
        subprocess.run(command, capture_output=True, check=False)


def _podman(*arguments: str) -> str:
    command = ["podman", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout


def load_image(service: str) -> None:
    """Give podman the image that Docker has built."""
    save = ["docker", "save", image_of(service)]
    with subprocess.Popen(save, stdout=subprocess.PIPE) as saving:
        command = ["podman", "load", "--quiet"]
        subprocess.run(
            command, stdin=saving.stdout, stdout=subprocess.DEVNULL, check=True
        )


def play(services: list[str], folder: Path) -> int:
    """Run services side by side on a stack of servers; return how many failed."""
    started: list[Played] = []
    with running_stack("play") as stack:
        try:
            for service in services:
                started.append(Played(service, folder))
                started[-1].start(stack)
            return sum(one.stop() != 0 for one in started)
        except SystemExit:
            print("\n".join(one.log() for one in started))
            raise
        finally:
            for one in started:
                one.remove()


def main(services: list[str]) -> int:
    """Play the manifests of each service; return 0 when all did as they should."""
    if not all(map(shutil.which, ("docker", *_NEEDED))):
        raise SystemExit(
            f"docker and {', '.join(_NEEDED)} are needed, packages of Debian"
        )
    with tempfile.TemporaryDirectory(prefix="parley-play-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "containers.conf").write_text(_CONF, encoding="utf-8")
        os.environ["CONTAINERS_CONF"] = str(folder / "containers.conf")
        for service in services or SERVICES:
            load_image(service)
        return 1 if play(services or SERVICES, folder) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
