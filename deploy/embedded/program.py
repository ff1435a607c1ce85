"""What the supervisor knows of one program of the stack."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from signal import SIGTERM, Signals
from types import MappingProxyType


class Group(Enum):
    """Which part of the stack a program belongs to."""

    SERVER = "server"
    SERVICE = "service"
    EDGE = "edge"


async def _nothing() -> None:
    """Pass at once."""


def _prepared() -> None:
    """Need neither preparation nor cleaning."""


@dataclass(frozen=True)
class Program:
    """How one program is started, known to be ready, and stopped.

    Attributes:
        name: Unique in the stack; names its log file.
        group: Part of the stack.
        command: Argument list; the first is an absolute path.
        environment: Everything it gets beside the supervisor's few base variables.
        ports: Names of the ports it listens on; they must be free before it starts.
        after: Programs that must be ready first.
        prepare: Writes its configuration; runs before every start, may block shortly.
        clean_up: Removes what it leaves outside the root; runs after every stop.
        settle: Called until it passes, from the start on: probes, then makes accounts.
            Must be idempotent.
        check: Light probe with a real account, for `status`.
        start_seconds: A program that is not ready by then has failed.
        stop_seconds: It is killed when it has not stopped by then.
        stop_signal: What asks it to stop.
        is_task: It runs once and ends with 0, instead of staying.
        working_folder: Its current folder; None: the checkout.
    """

    name: str
    group: Group
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ports: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] = _prepared
    clean_up: Callable[[], None] = _prepared
    settle: Callable[[], Awaitable[None]] = _nothing
    check: Callable[[], Awaitable[None]] = _nothing
    start_seconds: float = 30
    stop_seconds: float = 10
    stop_signal: Signals = SIGTERM
    is_task: bool = False
    working_folder: str | None = None
