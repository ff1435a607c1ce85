"""Find the workers that the command line names."""

import importlib
from collections.abc import Sequence

from libs.events.bus import Worker


class WorkerNotFoundError(Exception):
    """A name does not lead to a worker."""


def load_workers(names: Sequence[str]) -> list[Worker]:
    """Import workers by ``module:attribute``, for example ``services.x:worker``.

    Returns:
        Sorted by service, so that what is generated does not depend on their order.

    Raises:
        WorkerNotFoundError: There is no such module, or no worker of that name.
    """
    return sorted((_load(name) for name in names), key=lambda w: w.service)


def _load(name: str) -> Worker:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as err:
        raise WorkerNotFoundError(f"{name}: {err}") from err
    worker = getattr(module, attribute or "worker", None)
    if not isinstance(worker, Worker):
        raise WorkerNotFoundError(f"{name}: no Worker of that name")
    return worker
