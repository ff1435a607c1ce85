"""Ends a stack's processes when its supervisor dies without a word.

The supervisor starts one guard and holds the other end of its standard input. When
the supervisor is gone, however it went, the read ends, and whatever still runs is
killed: workers of nginx, helpers of Erlang, anything that the leash does not hold.
"""

import signal
import sys
from pathlib import Path

from deploy.embedded.layout import open_stack
from deploy.embedded.orphans import end_processes, processes_of


def main() -> None:
    """Wait for the end of standard input, then end the stack's processes."""
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    stack = open_stack(Path(sys.argv[1]))
    sys.stdin.buffer.read()
    # Twice: a program could have been forking while the first look was taken.
    for _ in range(2):
        end_processes(processes_of(stack))


if __name__ == "__main__":
    main()
