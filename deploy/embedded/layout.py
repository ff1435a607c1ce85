"""Where a stack keeps what it owns, and at which addresses it is reached."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.ports import DEFAULT_BASE, port_of, validate_base

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds services/, libs/ and deploy/; every child's cwd."""

DEFAULT_ROOT = CHECKOUT / ".parley"
HOST = "127.0.0.1"
MARKER = "PARLEY_STACK"
"""Environment variable that every process of a stack carries: its root folder."""


@dataclass(frozen=True)
class Stack:
    """One stack: a folder and a block of ports.

    Attributes:
        root: Absolute; everything the stack writes is below it.
        base: First port of its block.
    """

    root: Path
    base: int

    def port(self, name: str) -> int:
        """Return the port of a listener of `ports.OFFSETS`."""
        return port_of(self.base, name)

    def address(self, name: str) -> str:
        """Return ``host:port`` of a listener."""
        return f"{HOST}:{self.port(name)}"

    def url(self, name: str) -> str:
        """Return the plain HTTP address of a listener, without a final slash."""
        return f"http://{self.address(name)}"

    @property
    def secrets(self) -> Path:
        """Passwords and keys: a folder a service, readable by the owner alone."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One file a program."""
        return self.root / "log"

    @property
    def ca_file(self) -> Path:
        """Certificate of the stack's own authority."""
        return self.secrets / "ca" / "ca.pem"

    @property
    def state_file(self) -> Path:
        """What the supervisor runs: pids, restarts, states."""
        return self.root / "state.json"

    @property
    def mails(self) -> Path:
        """Mails that the SMTP sink took."""
        return self.root / "mail"

    def folder(self, *parts: str) -> Path:
        """Return a folder below the root, made if it is missing, mode 0700."""
        path = self.root.joinpath(*parts)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def data(self, server: str) -> Path:
        """Return the folder of a server's data."""
        return self.folder("data", server)

    def run(self, server: str) -> Path:
        """Return the folder of a server's generated configuration."""
        return self.folder("run", server)

    def log(self, program: str) -> Path:
        """Return the file that takes a program's output."""
        return self.folder("log") / f"{program}.log"


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that only its owner reads, whole or not at all.

    Args:
        path: Its folder is made if it is missing.
        text: All of it.
        mode: Another one lets its group read it too.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def open_stack(root: Path, base: int | None = None) -> Stack:
    """Return the stack in a folder; the folder itself may not exist yet.

    Args:
        root: Folder of the stack.
        base: First port; None: what the stack had last, else `DEFAULT_BASE`.

    Raises:
        StackError: The base is out of range or the folder's record is unreadable.
    """
    root = root.resolve()
    if base is None:
        base = _recorded_base(root) or DEFAULT_BASE
    return Stack(root, validate_base(base))


def record_stack(stack: Stack) -> None:
    """Remember the stack's ports for commands that do not name them."""
    write_private(stack.root / "stack.json", json.dumps({"base": stack.base}))


def _recorded_base(root: Path) -> int | None:
    path = root / "stack.json"
    try:
        return int(json.loads(path.read_text())["base"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} is damaged: remove it or write it anew") from error


def write_state(stack: Stack, programs: Mapping[str, Mapping[str, object]]) -> None:
    """Write the state file: what runs, by program name."""
    state = {"base": stack.base, "supervisor": os.getpid(), "programs": programs}
    unfinished = stack.state_file.with_suffix(".new")
    unfinished.write_text(json.dumps(state))
    unfinished.replace(stack.state_file)
