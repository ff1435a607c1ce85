"""AU-1: numbers without a gap, one chain, a checkpoint in time."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.chassis.audit.chain import ORIGIN
from tests.support.firing import Watched, assert_fires


async def test_au_1_records_are_numbered_and_chained(sealed):
    """Each link holds the hash before, and is what the keys say."""
    sealed.add("a", "b", "c")
    assert await sealed.sealer.step() == 3
    links = [sealed.store.links[seq] for seq in (1, 2, 3)]
    assert [link.record_id for link in links] == ["a", "b", "c"]
    assert [link.previous for link in links] == [ORIGIN, links[0].hash, links[1].hash]
    assert all(sealed.keys.is_genuine("auth", link) for link in links)
    assert not sealed.store.waiting
    assert {link.epoch for link in links} == {1}


async def test_au_1_what_becomes_visible_late_gets_the_next_number(sealed):
    """A record whose transaction committed after a later one was sealed is not lost."""
    sealed.add("2")
    await sealed.sealer.step()
    sealed.add("1")
    await sealed.sealer.step()
    assert sealed.store.links[2].record_id == "1"


async def test_au_1_only_the_holder_of_the_lease_seals(sealed):
    """Without it nothing happens; a new holder goes on where the chain ends."""
    sealed.add("a")
    sealed.lease.is_free = False
    assert await sealed.sealer.step() == 0
    sealed.lease.is_free = True
    assert await sealed.another().step() == 1
    sealed.add("b")
    sealed.lease.is_held = False
    assert await sealed.sealer.step() == 1
    assert sealed.store.links[2].epoch == 2


async def test_au_1_a_sealer_that_was_overtaken_goes_on_behind_the_other(sealed):
    """The number that another one gave is not given again."""
    sealed.add("a")
    await sealed.sealer.step()
    other = sealed.another()
    sealed.add("b")
    sealed.lease.is_held = False
    await other.step()
    sealed.lease.is_held = True
    sealed.add("c")
    await sealed.sealer.step()
    assert [sealed.store.links[seq].record_id for seq in (1, 2, 3)] == list("abc")


async def test_au_1_a_checkpoint_comes_after_a_minute_or_a_thousand(sealed):
    """The first at once, then by time or number, never twice for the same end."""
    sealed.add("0")
    await sealed.sealer.step()
    await sealed.sealer.step()
    assert [made.seq for made in sealed.sink.kept] == [1]
    sealed.add("1")
    sealed.clock.advance(timedelta(seconds=59))
    await sealed.sealer.step()
    assert len(sealed.sink.kept) == 1
    sealed.clock.advance(timedelta(seconds=1))
    await sealed.sealer.step()
    assert [made.seq for made in sealed.sink.kept] == [1, 2]
    sealed.add(*(f"{number:05}" for number in range(10, 1010)))
    await sealed.sealer.step()
    assert sealed.sink.kept[-1].seq == 1002
    assert all(sealed.keys.has_signed(made) for made in sealed.sink.kept)


async def test_au_1_without_the_second_place_sealing_goes_on_and_its_age_shows(sealed):
    """faults.md: the checkpoint is late, nothing else is; it comes when it can."""
    watched = Watched("auth")
    watched.look()
    sealed.sink.is_broken = True
    sealed.add("a")
    await sealed.sealer.step()
    assert sealed.store.links[1].record_id == "a"
    sealed.clock.advance(timedelta(seconds=301))
    await sealed.sealer.step()
    assert REGISTRY.get_sample_value("audit_checkpoint_age_seconds") == 301
    watched.look()
    assert_fires("AuditCheckpointLate", watched)
    sealed.sink.is_broken = False
    await sealed.sealer.step()
    assert [made.seq for made in sealed.sink.kept] == [1]
    assert REGISTRY.get_sample_value("audit_checkpoint_age_seconds") == 0


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_au_1_a_chain_that_was_cut_is_told(sealed, is_restarted):
    """The sealer knows where it left the chain: itself, or by the second place."""
    sealed.add("a", "b", "c")
    await sealed.sealer.step()
    del sealed.store.links[3], sealed.store.links[2]
    sealed.add("d")
    if is_restarted:
        sealed.lease.is_held = False
    sealer = sealed.another() if is_restarted else sealed.sealer
    watched = Watched("auth")
    watched.look()
    with capture_logs() as logs:
        await sealer.step()
    told = [line for line in logs if line["event"] == "audit_chain_broken"]
    assert [line["seq"] for line in told] == [3]
    assert sealed.store.links[2].record_id == "d"
    watched.look()
    assert_fires("AuditChainBroken", watched)


async def test_a_stop_in_good_order_seals_signs_and_lets_go(sealed):
    """What waits is sealed and covered, and the next sealer need not wait."""
    sealed.add("a")
    await sealed.sealer.step()
    sealed.add("b")
    await sealed.sealer.finish()
    assert sealed.sink.kept[-1].seq == 2
    assert sealed.lease.released == 1
