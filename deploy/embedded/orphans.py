"""Processes of a stack that outlived their keeper, found without guessing.

A process belongs to a stack when it carries the stack's marker in its environment or
lives in the session of a program that the state file names. (nginx writes over its
environment, so one of the two would not do.)
"""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from deploy.embedded.layout import MARKER, Stack

_CLOCK_TOLERANCE_SECONDS = 2.0


def processes_of(stack: Stack) -> list[psutil.Process]:
    """Return every living process of a stack, its supervisor apart.

    Order: as the kernel lists them, by pid.
    """
    sessions = _recorded_sessions(stack)
    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _is_ours(candidate, stack, sessions):
                found.append(candidate)
    return found


def end_processes(processes: Iterable[psutil.Process]) -> list[int]:
    """Kill processes and wait until they are gone, at most 5 s.

    Returns:
        Pids that were killed.
    """
    ended = []
    targets = list(processes)
    for target in targets:
        with contextlib.suppress(psutil.Error):
            target.kill()
            ended.append(target.pid)
    psutil.wait_procs(targets, timeout=5)
    return ended


def is_of_stack(candidate: psutil.Process, stack: Stack) -> bool:
    """Tell whether a process is a stack's own, dead or living supervisor's alike."""
    with contextlib.suppress(psutil.Error, OSError):
        return _is_ours(candidate, stack, _recorded_sessions(stack))
    return False


def _recorded_sessions(stack: Stack) -> dict[int, float]:
    """Return the session ids of the last run, with their leaders' start times."""
    try:
        state = json.loads(Path(stack.state_file).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {
        program["pid"]: program["started_at"]
        for program in state.get("programs", {}).values()
        if program.get("pid")
    }


def _is_ours(
    candidate: psutil.Process, stack: Stack, sessions: dict[int, float]
) -> bool:
    if candidate.pid == os.getpid() or candidate.status() == psutil.STATUS_ZOMBIE:
        return False
    started_at = sessions.get(os.getsid(candidate.pid))
    if started_at is not None:
        # A later process may have got the same number: it would be younger, but its
        # session would then begin with itself.
        is_later_namesake = (
            candidate.pid in sessions
            and abs(candidate.create_time() - started_at) > _CLOCK_TOLERANCE_SECONDS
        )
        if not is_later_namesake:
            return True
    return candidate.environ().get(MARKER) == str(stack.root)
