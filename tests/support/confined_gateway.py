"""A gateway that has few descriptors, and a loop that others keep busy.

Started as ``python -m tests.support.confined_gateway``; SIGUSR1 keeps the loop's thread
busy for a second, as a task that does not wait would.
"""

import resource
import runpy
import signal
import time

DESCRIPTORS = 256
BUSY_SECONDS = 1.0


def be_busy(*_: object) -> None:
    """Use the thread up."""
    until = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < until:
        pass


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    signal.signal(signal.SIGUSR1, be_busy)
    runpy.run_module("services.gateway", run_name="__main__")
