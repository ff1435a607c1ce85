"""Compare a topology with what the broker has."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from libs.events.names import UNROUTABLE
from libs.events.settings import AdminSettings
from libs.events.topology.apply import virtual_host_of
from libs.events.topology.management import Management
from libs.events.topology.model import Topology


async def diff_topology(topology: Topology, settings: AdminSettings) -> list[str]:
    """Return one line per difference: ``+`` is missing, ``~`` differs, ``-`` is extra.

    Raises:
        ManagementError: The management API refused or does not answer.
    """
    management = Management(settings.management_url, virtual_host_of(settings.amqp_url))
    kinds = ("exchanges", "queues", "bindings", "policies", "permissions")
    exchanges, queues, bindings, policies, permissions = await asyncio.gather(
        *(management.list(kind) for kind in kinds)
    )
    has_exchange = {e["name"]: e["arguments"] for e in exchanges if _is_ours(e["name"])}
    has_queue = {
        q["name"]: q["arguments"]
        for q in queues
        if ("." in q["name"] or q["name"] == UNROUTABLE) and ".live." not in q["name"]
    }
    return [
        *_compare(
            "exchange", {e.name: e.arguments for e in topology.exchanges}, has_exchange
        ),
        *_compare("queue", {q.name: q.arguments for q in topology.queues}, has_queue),
        *_compare_bindings(topology, bindings),
        *_compare_policies(topology, policies),
        *_compare_rights(topology, permissions),
    ]


def _compare_policies(
    topology: Topology, found: Iterable[Mapping[str, Any]]
) -> Iterable[str]:
    wanted = {p.name: p.definition for p in topology.policies}
    has = {p["name"]: p["definition"] for p in found if p["name"].startswith("events-")}
    return _compare("policy", wanted, has)


def _compare_rights(
    topology: Topology, found: Iterable[Mapping[str, Any]]
) -> Iterable[str]:
    wanted = {
        p.user: {"configure": p.configure, "write": p.write, "read": p.read}
        for p in topology.permissions
    }
    has = {
        p["user"]: {name: p[name] for name in ("configure", "write", "read")}
        for p in found
        if p["user"] in wanted
    }
    return _compare("permission", wanted, has)


def _is_ours(exchange: str) -> bool:
    is_builtin = exchange.startswith("amq.")
    return exchange.endswith((".events", ".direct", UNROUTABLE)) and not is_builtin


def _compare(
    kind: str, wanted: Mapping[str, Mapping[str, Any]], found: Mapping[str, Any]
) -> Iterable[str]:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield f"+ {kind} {name}"
        elif name not in wanted:
            yield f"- {kind} {name}"
        elif dict(wanted[name]) != dict(found[name]):
            yield f"~ {kind} {name}: {dict(found[name])} -> {dict(wanted[name])}"


def _compare_bindings(
    topology: Topology, found: Iterable[Mapping[str, Any]]
) -> Iterable[str]:
    wanted = {(b.exchange, b.queue, b.routing_key) for b in topology.bindings}
    has = {
        (b["source"], b["destination"], b["routing_key"])
        for b in found
        if _is_ours(b["source"]) and ".live." not in b["destination"]
    }
    for sign, some in (("+", wanted - has), ("-", has - wanted)):
        for exchange, queue, key in sorted(some):
            yield f"{sign} binding {exchange} --{key}--> {queue}"
