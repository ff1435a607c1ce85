"""Hand a command to the kind of stack that is in use: embedded or compose.

The kind is remembered in ``.parley/stack`` by ``up`` and never guessed.
"""

import runpy
import sys
from pathlib import Path

MEMORY = Path(".parley/stack")
KINDS = ("embedded", "compose")


def main(arguments: list[str]) -> int:
    """Run ``KIND COMMAND [ARGUMENT ...]``; return the exit status."""
    kind, *command = arguments
    if kind not in KINDS:
        print(f"STACK={kind} is unknown: use one of {', '.join(KINDS)}")
        return 2
    if command[0] == "up":
        MEMORY.parent.mkdir(exist_ok=True)
        MEMORY.write_text(kind + "\n", encoding="utf-8")
    sys.argv = [f"deploy.{kind}", *command]
    runpy.run_module(f"deploy.{kind}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(sys.argv[1:]))
