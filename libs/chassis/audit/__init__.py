"""Who did what to whom: records that stand or fall with the action they tell of.

A use case records in its action's own transaction; what cannot be recorded does not
happen. Records are stored unchained; numbering and chaining them is a sealer's work,
so that no action waits for another's. Source: AU-1 to AU-3 of the security
requirements, DESIGN section 5.
"""

from libs.chassis.audit.entry import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
)
from libs.chassis.audit.memory import MemoryAuditTrail

__all__ = [
    "ANONYMOUS_ACTOR",
    "AuditEntry",
    "AuditResult",
    "AuditTrail",
    "MemoryAuditTrail",
]
