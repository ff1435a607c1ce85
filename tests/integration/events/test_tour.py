"""The README's tour runs on real servers as it stands there."""

import asyncio

import pytest

from tests.support import event_tour

pytestmark = pytest.mark.integration


async def test_the_tour_s_program_runs(rig, tmp_path):
    """Topology by the command of the page, then the order gets its invoice."""
    event_tour.write_tour(tmp_path)
    admin = {
        "EVENTS_ADMIN_AMQP_URL": rig.admin.amqp_url,
        "EVENTS_MANAGEMENT_URL": rig.admin.management_url,
    }
    run = asyncio.to_thread
    await run(event_tour.run, tmp_path, *event_tour.console_words(), **admin)
    addresses = {
        "AMQP_URL": rig.admin.amqp_url,
        "MONGO_URL": rig.database_url("producer"),
    }
    output = await run(event_tour.run, tmp_path, "tour.py", **addresses)
    assert output.splitlines()[-1] == "o-1 has its invoice"
    assert await rig.take_some("unroutable")  # nobody takes invoice.sent
