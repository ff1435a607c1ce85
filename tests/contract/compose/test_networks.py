"""The networks of docker-compose.yml are the documented graph's zones of trust."""

from itertools import combinations

import pytest

from tests.support.compose_file import (
    DOORS,
    Zones,
    calls,
    compose_file,
    edges,
    part_of,
    services,
)

SERVERS = {"mongodb", "rabbitmq", "redis", "s3"}
LEAD_OUT = {"auth", "notification"}


def are_alike(one: str, other: str, members: frozenset[str]) -> bool:
    """Tell whether two parts of a zone call the same third one, or are called by it."""
    known = calls()
    return any(
        {(one, third), (other, third)} <= known
        or {(third, one), (third, other)} <= known
        for third in members
    )


def test_who_may_speak_can() -> None:
    """Every edge between containers has a network that both are in."""
    assert edges() <= Zones.read().pairs()


def test_who_shares_a_zone_speaks_there() -> None:
    """Two containers share a network for an edge, or for a part that both call."""
    for name, members in Zones.read().members.items():
        for pair in combinations(sorted(members), 2):
            assert frozenset(pair) in edges() or are_alike(*pair, members), (name, pair)


def test_who_is_on_a_servers_network_calls_it() -> None:
    """A server shares no network with anybody but its callers (IN-2)."""
    for members in Zones.read().members.values():
        for server in members & SERVERS:
            for caller in members - {server}:
                assert frozenset((caller, server)) in edges(), (caller, server)


def test_nobody_is_in_a_zone_for_nothing() -> None:
    """Each member of a zone has an edge with another member."""
    known = edges()
    for name, members in Zones.read().members.items():
        spoken = {
            part
            for pair in combinations(sorted(members), 2)
            if frozenset(pair) in known
            for part in pair
        }
        assert spoken == members, name


def test_servers_do_not_meet() -> None:
    """No two servers share a network but the one for metrics, and the edge meets S3."""
    for name, members in Zones.read().members.items():
        assert len(members & SERVERS) <= 1, name
        if "edge" in members:
            assert members & SERVERS <= {"s3"}


def test_nothing_else_leads_out() -> None:
    """All networks are internal but the doors and the one of those who call outside."""
    networks = compose_file()["networks"]
    outer = {name for name, network in networks.items() if not network.get("internal")}

    assert outer == {"doors", "outside"}
    for name in outer:
        assert networks[name]["driver_opts"][DOORS] == "false"
    found = {n for n, s in services().items() if "outside" in s.get("networks", [])}
    assert found == LEAD_OUT


def test_doors_are_for_who_publishes() -> None:
    """On the network of published ports is who publishes one, and nobody else."""
    for name, service in services().items():
        is_there = "doors" in service.get("networks", [])
        assert is_there == bool(service.get("ports")), name


@pytest.mark.parametrize("name", sorted(services()))
def test_every_container_has_its_place(name: str) -> None:
    """It is in a network, shares a server's, or is in none on purpose."""
    service = services()[name]
    mode = service.get("network_mode")

    assert bool(service.get("networks")) != bool(mode)
    if mode:
        assert mode in ("none", "service:mongodb")
    assert part_of(name)
