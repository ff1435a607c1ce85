"""The message writer: group commit in lanes.

A lane commits whatever queued up while its previous commit was in flight, and under
load lets a little more gather; an idle system commits at once. Source: DESIGN.md
section 4, ADR 0009.
"""

from services.chat.writer.lanes import GroupCommitWriter, WriterLimits
from services.chat.writer.partitions import LeaseLimits, Partitions
from services.chat.writer.routing import RoutedWriter

__all__ = [
    "GroupCommitWriter",
    "LeaseLimits",
    "Partitions",
    "RoutedWriter",
    "WriterLimits",
]
