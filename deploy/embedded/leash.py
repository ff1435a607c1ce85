"""Become a program that dies with its supervisor; run as a script, standard library.

Usage: leash.py SUPERVISOR_PID COMMAND [ARGUMENT...]. The kernel sends SIGKILL to this
process when its parent dies, and keeps that promise over exec. Children of the
program are not on the leash: `deploy.embedded.guard` looks after them.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then exec the command."""
    supervisor, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        # It died between fork and prctl: nobody would ever end this process.
        sys.exit("the supervisor is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
