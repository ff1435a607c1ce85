"""Steps in a container before the services: ``python -m deploy.compose.steps STEP``.

`volumes` gives each folder named to the user of the containers, `database` brings up
MongoDB's set and its accounts, `store` makes the bucket. Each may be repeated. `rewind`
is a restore's: it empties what is in no backup, and lays audits' checkpoints aside.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.embedded.checkpoints import put_checkpoints_aside
from deploy.embedded.layout import Stack
from deploy.embedded.passwords import Passwords
from deploy.embedded.readiness import NotReadyError
from deploy.embedded.servers.replica_set import ReplicaSet
from deploy.embedded.servers.seaweedfs import ensure_bucket

USER = 10001
ROOT = Path("/srv/parley")
_SECONDS = 120.0
_PAUSE_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Run one step; return 0 when it is done, 1 when time ran out."""
    step, *words = arguments
    if step == "rewind":
        rewind(*map(Path, words))
        return 0
    passwords = Passwords(Stack(ROOT, 0))
    if step == "volumes":
        for word in words:
            os.chown(word, USER, USER)
        return 0
    if step == "database":
        members = ReplicaSet("127.0.0.1:27017", tuple(words[0].split(",")), passwords)
        return asyncio.run(until_settled(members.settle))
    return asyncio.run(until_settled(lambda: ensure_bucket(words[0], passwords)))


def rewind(emptied: Path, kept: Path) -> None:
    """Make what lies beside the databases fit what they were restored to.

    Args:
        emptied: Holds the folders of servers that begin with nothing.
        kept: Holds a folder a service, with its checkpoints.
    """
    for path in emptied.glob("*/*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    put_checkpoints_aside(kept)


async def until_settled(
    settle: Callable[[], Awaitable[None]], seconds: float = _SECONDS
) -> int:
    """Try until it is settled; return 1 if it is not within the time."""
    limit = time.monotonic() + seconds
    while True:
        try:
            await settle()
        except (NotReadyError, OSError) as error:
            if time.monotonic() > limit:
                print(f"not settled within {seconds:g} s: {error}", file=sys.stderr)
                return 1
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
