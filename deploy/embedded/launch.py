"""Bringing a stack up and down from outside its supervisor."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import psutil

from deploy.embedded.certificates import ensure_certificates
from deploy.embedded.control import (
    Message,
    ask,
    ask_once,
    is_supervised,
    supervisor_pid,
)
from deploy.embedded.errors import NotRunningError, StackError
from deploy.embedded.keys import ensure_keys
from deploy.embedded.layout import CHECKOUT, Stack, open_stack, record_stack
from deploy.embedded.locks import SUPERVISOR_LOCK, stack_lock, try_lock
from deploy.embedded.log_files import last_lines, open_log
from deploy.embedded.orphans import end_processes, processes_of
from deploy.embedded.passwords import Passwords
from deploy.embedded.preflight import check_machine

_LAUNCH_SECONDS = 20.0
_EXIT_SECONDS = 15.0


def bring_up(stack: Stack, words: Sequence[str]) -> Iterator[Message]:
    """Bring a stack up; what already runs is left as it is.

    Yields:
        The supervisor's messages, see `Supervisor.up`.

    Raises:
        StackError: The machine or the stack cannot do it.
    """
    with stack_lock(stack):
        yield from _end_of_leaving(stack)
        if is_supervised(stack):
            _refuse_other_ports(stack)
        else:
            check_machine(stack)
            prepare(stack)
            launch_supervisor(stack)
        yield from ask(stack, {"command": "up", "programs": list(words)})


def _refuse_other_ports(stack: Stack) -> None:
    running = open_stack(stack.root)
    if running.base != stack.base:
        raise StackError(
            f"the stack in {stack.root} runs on ports from {running.base}, not "
            f"{stack.base}: stop it first, or leave PARLEY_PORT_BASE out"
        )


def bring_down(stack: Stack) -> Iterator[Message]:
    """Stop a stack in good order, and whatever a dead supervisor left behind.

    Yields:
        The supervisor's messages; then ``{"killed": [pid, ...]}`` if there were
        leftovers.
    """
    if not stack.root.exists():
        return
    with stack_lock(stack):
        yield from _all_stopped(stack)
        leftovers = processes_of(stack)
        if leftovers:
            yield {"killed": end_processes(leftovers)}


def _end_of_leaving(stack: Stack) -> Iterator[Message]:
    """See a `down` through whose asker went away before its end."""
    with contextlib.suppress(NotRunningError):
        if ask_once(stack, {"command": "leaving"}).get("is_leaving"):
            yield from _all_stopped(stack)


def _all_stopped(stack: Stack) -> Iterator[Message]:
    pid = supervisor_pid(stack)
    with contextlib.suppress(NotRunningError):
        yield from ask(stack, {"command": "down"})
    _until_gone(stack, pid)


def discard(stack: Stack) -> None:
    """Kill a stack whose data nobody wants any more, supervisor first."""
    if not stack.root.exists():
        return
    with stack_lock(stack):
        with contextlib.suppress(NotRunningError):
            pid = supervisor_pid(stack)
            ask_once(stack, {"command": "discard"})
            _until_gone(stack, pid)
        end_processes(processes_of(stack))


def prepare(stack: Stack) -> None:
    """Make folders, passwords, keys and certificates that are missing."""
    for name in ("secrets", "data", "run", "log", "mail"):
        stack.folder(name).chmod(0o700)
    stack.root.chmod(0o700)
    Passwords(stack).ensure()
    ensure_certificates(stack)
    ensure_keys(stack)
    record_stack(stack)


def launch_supervisor(stack: Stack) -> None:
    """Start the supervisor in the background and wait until it answers.

    Raises:
        StackError: It does not.
    """
    log_path = stack.log("supervisor")
    end_processes(processes_of(stack))
    with open_log(log_path) as log:
        subprocess.run(
            [
                *(sys.executable, "-m", "deploy.embedded.daemon"),
                *(str(stack.root), str(stack.base)),
            ],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        )
    limit = time.monotonic() + _LAUNCH_SECONDS
    while not is_supervised(stack):
        if time.monotonic() > limit:
            raise StackError(
                f"the supervisor did not start; last lines of {log_path}:\n"
                f"{last_lines(log_path)}"
            )
        time.sleep(0.05)


def _is_alive(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until_gone(stack: Stack, pid: int | None) -> None:
    """Wait until the supervisor has given up its lock and its process is gone.

    Raises:
        StackError: It lives on: what it still stops must not be killed.
    """
    limit = time.monotonic() + _EXIT_SECONDS
    while time.monotonic() < limit:
        with try_lock(stack, SUPERVISOR_LOCK) as is_free:
            if is_free and not _is_alive(pid):
                return
        time.sleep(0.02)
    raise StackError(f"the supervisor of {stack.root} (pid {pid}) does not end")
