"""What must be on the broker, generated from the workers of all services."""

from libs.events.topology.build import build_topology
from libs.events.topology.model import (
    Binding,
    Exchange,
    Permission,
    Policy,
    Queue,
    Topology,
)

__all__ = [
    "Binding",
    "Exchange",
    "Permission",
    "Policy",
    "Queue",
    "Topology",
    "build_topology",
]
