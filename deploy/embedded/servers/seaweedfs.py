"""SeaweedFS as the S3 store: an identity a service, one bucket, tokens inside."""

import hashlib
import json
import secrets
import sys
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy.embedded.layout import HOST, Stack, write_private
from deploy.embedded.passwords import ADMIN, S3_CLIENTS, Passwords
from deploy.embedded.program import Group, Program
from deploy.embedded.readiness import NotReadyError, http_ok

BUCKET = "parley-media"
REGION = "us-east-1"
_CONFLICT = 409
_LASTING = f"{BUCKET}/.ready"
_PORTS = (
    "s3",
    "s3_grpc",
    "master",
    "master_grpc",
    "volume",
    "volume_grpc",
    "filer",
    "filer_grpc",
)


def access_key(client: str) -> str:
    """Return the name under which a client signs its requests."""
    return f"parley-{client}"


def seaweedfs_program(stack: Stack) -> Program:
    """Describe the SeaweedFS server for the supervisor.

    It stops in 15 s: the filer waits that long for subscriptions of its own.
    """
    run = str(stack.run("seaweedfs"))
    return Program(
        name="seaweedfs",
        group=Group.SERVER,
        command=_command(stack),
        environment=MappingProxyType({"HOME": run, "TMPDIR": run}),
        ports=_PORTS,
        prepare=lambda: _prepare(stack),
        clean_up=lambda: remove_sockets(stack),
        settle=lambda: _settle(stack),
        check=lambda: _check(stack),
        start_seconds=60,
        stop_seconds=30,
        working_folder=run,
    )


def _command(stack: Stack) -> tuple[str, ...]:
    return (
        *(str(_binary()), "-logtostderr=true", "server"),
        *(f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3"),
        f"-dir={stack.data('seaweedfs')}",
        *(f"{_port_flag(name)}={stack.port(name)}" for name in _PORTS),
        # Two more listeners that nobody asked for, and a call home.
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
        # Recovery after a kill takes 3 s instead of 22.
        *("-master.electionTimeout=1s", "-volume.preStopSeconds=0"),
        # A bucket takes about 7 volumes.
        *("-volume.max=100", "-master.volumeSizeLimitMB=256"),
        f"-s3.config={stack.run('seaweedfs') / 's3.json'}",
        # Volume files hold ciphertext; each chunk's key stands in the filer's records.
        *("-filer.encryptVolumeData", "-s3.encryptVolumeData"),
        # Relative to the current folder: a Unix address ends at 107 characters.
        *("-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"),
    )


def _port_flag(name: str) -> str:
    """Return ``-s3.port`` for ``s3`` and ``-s3.port.grpc`` for ``s3_grpc``."""
    server, _, kind = name.partition("_")
    return f"-{server}.port.{kind}" if kind else f"-{server}.port"


def remove_sockets(stack: Stack, folder: Path = Path("/tmp")) -> None:  # noqa: S108
    """Remove the sockets that SeaweedFS makes outside the root and leaves there.

    Args:
        stack: Whose; the ports in the sockets' names are its own.
        folder: Where SeaweedFS makes them, whatever TMPDIR says.
    """
    for name in _PORTS:
        path = folder / f"seaweedfs-{name.replace('_', '-')}-{stack.port(name)}.sock"
        path.unlink(missing_ok=True)


def identities(passwords: Passwords) -> dict[str, object]:
    """Return the S3 configuration: the administrator, and media in its bucket."""
    actions = {ADMIN: ["Admin", "Read", "Write", "List", "Tagging"]}
    for client in S3_CLIENTS:
        actions[client] = [
            f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Tagging")
        ]
    return {
        "identities": [
            {
                "name": client,
                "credentials": [
                    {
                        "accessKey": access_key(client),
                        "secretKey": passwords.of("s3", client),
                    }
                ],
                "actions": allowed,
            }
            for client, allowed in actions.items()
        ]
    }


def _binary() -> Path:
    return Path(sys.executable).parent / "weed"


def _prepare(stack: Stack) -> None:
    run = stack.run("seaweedfs")
    write_private(run / "s3.json", json.dumps(identities(Passwords(stack))))
    ensure_token_keys(run / "security.toml")


def ensure_token_keys(path: Path) -> None:
    """Make the keys without which volume and filer ports would serve anyone."""
    if path.exists():
        return
    sections = ("signing", "signing.read", "filer_signing", "filer_signing.read")
    write_private(
        path,
        "\n".join(
            f'[jwt.{section}]\nkey = "{secrets.token_urlsafe(32)}"\n'
            "expires_after_seconds = 60\n"
            for section in sections
        ),
    )


async def _check(stack: Stack) -> None:
    await http_ok(f"{stack.url('s3')}/healthz")


async def _settle(stack: Stack) -> None:
    await _check(stack)
    await ensure_bucket(stack.url("s3"), Passwords(stack))


async def ensure_bucket(url: str, passwords: Passwords) -> None:
    """Make the bucket, and see that it is written to and read from.

    Args:
        url: Of the store, without a final slash.
        passwords: The administrator's is used.

    Raises:
        NotReadyError: It is not, yet.
    """
    status = await _request(url, passwords, "PUT", BUCKET)
    if status not in (200, _CONFLICT):
        raise NotReadyError(f"making the bucket answers {status}")
    # After a restart the master knows old volumes seconds later than it takes writes:
    # an object that stays tells when what was stored is served again.
    status = await _request(url, passwords, "GET", _LASTING)
    if status == HTTPStatus.NOT_FOUND:
        # The first write makes volumes, which takes up to 9 s: waited for here.
        status = await _request(url, passwords, "PUT", _LASTING, b"ready")
    if status != HTTPStatus.OK:
        raise NotReadyError(f"the first read or write answers {status}")


async def _request(
    store: str, passwords: Passwords, method: str, path: str, body: bytes = b""
) -> int:
    url = f"{store}/{path}"
    digest = hashlib.sha256(body).hexdigest()
    signed = AWSRequest(method, url, headers={"x-amz-content-sha256": digest})
    identity = Credentials(access_key(ADMIN), passwords.of("s3", ADMIN))
    S3SigV4Auth(identity, "s3", REGION).add_auth(signed)
    timeout = aiohttp.ClientTimeout(total=15)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, url, data=body, headers=dict(signed.headers)
            ) as response,
        ):
            await response.read()
            return response.status
    except (TimeoutError, aiohttp.ClientError) as error:
        raise NotReadyError(f"{url}: {error}") from error
