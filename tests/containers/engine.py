"""The containers of an installation, as its operator handles them."""

import json
import os
import signal
import subprocess
import time
from typing import Any

from deploy.compose.calls import compose_command
from deploy.compose.installation import Installation

_POLL_SECONDS = 0.3


class Engine:
    """Kills, starts and asks the containers of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def kill(self, name: str) -> None:
        """Kill a container as `docker kill` does; the engine leaves it dead."""
        _docker("kill", self._id(name))

    def start(self, name: str, seconds: float) -> None:
        """Start a container that is dead, and wait until it is well."""
        container = self._id(name)
        _docker("start", container)
        _wait_well(container, 0, seconds)

    def crash(self, name: str, seconds: float) -> None:
        """Kill a container's process, and wait until the engine has brought it back."""
        container = self._id(name)
        before = _state(container)
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        _wait_well(container, before["RestartCount"] + 1, seconds)

    def findings(self, conversation_id: str) -> dict[str, int]:
        """Return what chat's own check finds in a stored conversation."""
        command = ["python", "-m", "services.chat", "verify"]
        text = _docker(
            "exec", self._id("chat"), *command, "--conversation", conversation_id
        )
        counts: dict[str, int] = json.loads(text)["counts"]
        return counts

    def throw_away(self) -> None:
        """Remove containers, networks and volumes."""
        command = [*compose_command(self._installation), "down", "--volumes"]
        subprocess.run(command, check=False, capture_output=True)

    def _id(self, name: str) -> str:
        command = [*compose_command(self._installation), "ps", "--all", "-q", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def _state(container: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(_docker("inspect", container))
    return found[0]


def _wait_well(container: str, restarts: int, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not _is_well(_state(container), restarts):
        assert time.monotonic() < limit, f"{container} is not well"
        time.sleep(_POLL_SECONDS)


def _is_well(found: dict[str, Any], restarts: int) -> bool:
    state = found["State"]
    health = state.get("Health", {}).get("Status", "healthy")
    is_up = state["Running"] and health == "healthy"
    return bool(is_up and found["RestartCount"] >= restarts)


def _docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True
    )
    return done.stdout
