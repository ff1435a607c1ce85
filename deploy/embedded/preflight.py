"""What must hold before a stack starts: room on the disk, packages, binaries."""

import shutil

from deploy.embedded.errors import DiskFullError
from deploy.embedded.layout import Stack
from deploy.embedded.packages import ensure_packages

NEEDED_BYTES = 1024**3


def check_machine(stack: Stack) -> None:
    """Make sure that the machine can run the stack; install what is missing.

    Raises:
        DiskFullError: Less than 1 GiB is free.
        PackageMissingError: Something is missing and cannot be installed from here.
    """
    free = shutil.disk_usage(stack.folder()).free
    if free < NEEDED_BYTES:
        raise DiskFullError(stack.root, free, NEEDED_BYTES)
    ensure_packages()
