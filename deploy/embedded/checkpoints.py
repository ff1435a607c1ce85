"""Audits' checkpoints on disk: each chain's second place, below a service's folder."""

import time
from pathlib import Path

_CHECKPOINTS = "audit-checkpoints.jsonl"


def put_checkpoints_aside(folders: Path) -> None:
    """Keep those of before a restore, which tell of an end that is no more.

    Args:
        folders: Holds a folder a service.
    """
    for path in folders.glob(f"*/{_CHECKPOINTS}"):
        path.rename(path.with_name(f"{path.name}.before-{int(time.time())}"))
