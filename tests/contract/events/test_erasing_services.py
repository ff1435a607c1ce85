"""Who holds a part of a person erases it and answers: auth waits for exactly those."""

from importlib import import_module
from pathlib import Path

import pytest

from libs.events.catalog import ErasureCompleted, UserDeleted
from services.auth.domain.erasure import ERASING_SERVICES

SERVICES = Path(__file__).parents[3] / "services"
WORKERS = {
    folder.name: import_module(f"services.{folder.name}.consumers").worker
    for folder in SERVICES.iterdir()
    if any(folder.glob("consumers*")) and folder.name != "auth"
}


@pytest.mark.parametrize("service", sorted(WORKERS))
def test_a_service_that_consumes_is_awaited_if_it_erases(service):
    """Subscribed to user.deleted, emitting erasure.completed, and in auth's list."""
    worker = WORKERS[service]
    heard = {event for one in worker.subscriptions for event in one.events}
    facts = (
        UserDeleted in heard,
        ErasureCompleted in worker.emits,
        service in ERASING_SERVICES,
    )
    assert len(set(facts)) == 1, facts


def test_nobody_else_is_awaited():
    """A name in auth's list that no service has would never answer."""
    assert set(ERASING_SERVICES) <= set(WORKERS)
