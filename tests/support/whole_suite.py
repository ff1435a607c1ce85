"""Run all tests in two processes: what needs no server, and what does.

The tests on real servers wait more than they work. The others work without a pause, so
they run meanwhile on what is left of the machine: at a low priority, so that no test on
the servers waits for them. Their words are printed after the others'.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

PYTEST = (sys.executable, "-m", "pytest")
SERVERLESS = ("tests/unit", "tests/contract")
# What failed last time is noted by one process only.
QUIETLY = (*PYTEST, "-p", "no:cacheprovider", *SERVERLESS)
ON_SERVERS = (*PYTEST, *(f"--ignore={path}" for path in SERVERLESS), "tests")
NICER = 10


def begin_quietly(command: Sequence[str], words: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command at a low priority, which is added to our own."""
    process = subprocess.Popen(
        command, stdout=words, stderr=subprocess.STDOUT, start_new_session=True
    )
    own = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, process.pid, own + NICER)
    # Linux may share time between sessions first; the servers have one of their own.
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(str(NICER))
    return process


def run_both(quietly: Sequence[str], aloud: Sequence[str]) -> int:
    """Run two commands beside each other; return the first code that is not 0."""
    with tempfile.TemporaryFile() as words:
        process = begin_quietly(quietly, words)
        try:
            code = subprocess.run(aloud, check=False).returncode
            quiet_code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        words.seek(0)
        sys.stdout.buffer.write(words.read())
        sys.stdout.flush()
    return code or quiet_code


def main(environment: dict[str, str]) -> int:
    """Run all tests; options from outside are meant for one run, so it is one then."""
    if environment.get("PYTEST_ADDOPTS"):
        return subprocess.run([*PYTEST, "tests"], check=False).returncode
    return run_both(QUIETLY, ON_SERVERS)


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))
