"""What a failure of the driver becomes, inside and outside of a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from libs.chassis.mongo import map_mongo_errors
from services.auth.ports import DatabaseSession


@contextmanager
def driver_errors(session: DatabaseSession) -> Iterator[None]:
    """Map transient failures to `UnavailableError`, but not in a transaction.

    There the bus must see the driver's own labels: they say whether to run the
    transaction again.
    """
    if session is not None:
        yield
        return
    with map_mongo_errors():
        yield
