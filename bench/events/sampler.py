"""Where the CPU goes: samples of the stack every 2 ms of CPU time.

Unlike cProfile it does not make calls dearer than loops, so its shares are those of the
run. Standard library only, as `bench.events.meter`.
"""

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

_EVERY_SECONDS = 0.002
_SITE = "site-packages/"


class Sampler:
    """Counts samples by package that runs, and by every function on the stack."""

    def __init__(self) -> None:
        self.total = 0
        self.by_package: Counter[str] = Counter()
        self.by_function: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)

    def stop(self) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def write(self, path: Path) -> None:
        """Write shares in percent, the largest first."""
        lines = [f"{self.total} samples", "", "package that runs:"]
        lines += self._lines(self.by_package, 25)
        lines += ["", "function on the stack (shares overlap):"]
        lines += self._lines(self.by_function, 70)
        path.write_text("\n".join(lines) + "\n")

    def _lines(self, counts: Counter[str], most: int) -> list[str]:
        return [
            f"{count * 100 / max(1, self.total):6.1f} %  {name}"
            for name, count in counts.most_common(most)
        ]

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.total += 1
        self.by_package[_package(frame.f_code.co_filename)] += 1
        seen = set()
        while frame is not None:
            code = frame.f_code
            seen.add(f"{_short(code.co_filename)}:{code.co_qualname}")
            frame = frame.f_back
        self.by_function.update(seen)


def _short(path: str) -> str:
    if _SITE in path:
        return path.rpartition(_SITE)[2]
    for prefix in (f"{Path.cwd()}/", f"{sys.base_prefix}/lib/"):
        path = path.removeprefix(prefix)
    return path


def _package(path: str) -> str:
    short = _short(path)
    parts = short.split("/")
    if parts[0] == "libs":
        return "/".join(parts[:3])
    return "/".join(parts[:2]) if parts[0].startswith(("bench", "python")) else parts[0]
