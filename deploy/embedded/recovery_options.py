"""What the commands of backup and restore are told, whichever stack has them."""

import argparse
from pathlib import Path


def add_recovery_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the options of ``backup``, ``segment`` or ``restore``."""
    parser.add_argument("folder", type=Path, help="that holds the backups")
    if command != "segment":
        parser.add_argument("--keys", type=Path, help="where keys are kept, apart")
    if command == "restore":
        parser.add_argument("--at", help="a time with its zone; else the last")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="throw away what the databases hold",
        )
