"""What can go wrong with a stack, as errors whose text is the advice."""

from pathlib import Path


class StackError(Exception):
    """A stack cannot do what was asked; the text says why and what helps."""


class PortTakenError(StackError):
    """A port that a program needs is in the hands of somebody else."""

    def __init__(self, port: int, program: str, owner: str | None) -> None:
        who = owner or "a process of another user"
        super().__init__(
            f"port {port}, which {program} needs, is taken by {who}. "
            "Stop it, or choose another block of ports with PARLEY_PORT_BASE."
        )
        self.port = port
        self.program = program


class DiskFullError(StackError):
    """The file system below the stack's folder has too little room."""

    def __init__(self, folder: Path, free_bytes: int, needed_bytes: int) -> None:
        mebibyte = 1024 * 1024
        super().__init__(
            f"only {free_bytes // mebibyte} MiB are free below {folder}, "
            f"{needed_bytes // mebibyte} MiB are needed: the servers stop when the "
            "disk is full. Make room and try again."
        )


class PackageMissingError(StackError):
    """A Debian package or a Python package is not there and cannot be installed."""


class StartError(StackError):
    """A program did not get ready."""


class NotRunningError(StackError):
    """The stack has no supervisor."""
