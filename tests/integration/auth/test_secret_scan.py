"""SE-1: what auth is given as a secret shows nowhere."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def _secrets_of(stack):
    """Return every secret that auth is given: passwords, and the keys of its files."""
    found = set()
    for path in (stack.stack.secrets / "auth").iterdir():
        text = path.read_text()
        found |= set(
            re.findall(r'"(?:d|[0-9a-f]+|1)": "([A-Za-z0-9+/=_-]{40,})"', text)
        )
        found |= set(re.findall(r"//[^:/]+:([^@]+)@", text))
    return found


def _of_process(pid, name):
    return Path(f"/proc/{pid}/{name}").read_text()


async def test_se_1_secrets_show_nowhere(client, stack, ann):
    """SE-1: in no environment, metric, log line or answer to an error."""
    await client.login(ann)
    await client.post("login", {"email": ann, "password": "\ud800" * 20})
    process = client.process
    async with client.http.get(f"{process.url}/metrics") as response:
        metrics = await response.text()
    secrets = _secrets_of(stack)
    assert len(secrets) >= 8
    places = {
        "environment": _of_process(process.pid, "environ"),
        "command": _of_process(process.pid, "cmdline"),
        "metrics": metrics,
        "log": process.log_file.read_text(),
    }
    for place, text in places.items():
        assert text
        assert not [secret for secret in secrets if secret in text], place


def test_se_1_a_broken_secret_is_not_quoted(stack, tmp_path):
    """SE-1: the process that cannot start says which file, never what is in it."""
    marker = "c2VjcmV0LW1hcmtlci1ieXRlcy0xMjM0NTY3ODkwYWJjZA=="
    ring = tmp_path / "pepper.json"
    ring.write_text(json.dumps({"current": "1", "keys": {"1": marker}}))
    ring.chmod(0o600)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = (
        dict(os.environ)
        | stack.service_environment("auth")
        | {
            "AUTH_PEPPER_KEYS_FILE": str(ring),
            "AUTH_LOG_FILE": "",
            "AUTH_PORT": str(port),
        }
    )
    result = subprocess.run(
        [sys.executable, "-m", "services.auth"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "pepper.json" in output
    assert marker not in output
    assert "secret-marker" not in output
