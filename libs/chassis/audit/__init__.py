"""Who did what to whom: records that stand or fall with the action they tell of.

A use case records in its action's own transaction; what cannot be recorded does not
happen. Records are stored unchained, so that no action waits for another's; one leased
sealer per service numbers and chains them within a second, and signs how far the chain
is into a second place. Source: AU-1 to AU-3 of the security requirements, ADR 0034.
"""

from libs.chassis.audit.chain import AuditKeys, ChainLink, Checkpoint, PendingRecord
from libs.chassis.audit.checkpoints import CheckpointSink, FileCheckpointSink
from libs.chassis.audit.entry import (
    ANONYMOUS_ACTOR,
    AuditEntry,
    AuditResult,
    AuditTrail,
    encoded_text,
)
from libs.chassis.audit.memory import MemoryAuditTrail
from libs.chassis.audit.reading import (
    AuditReader,
    AuditRecord,
)
from libs.chassis.audit.refusals import Refusals
from libs.chassis.audit.repeats import Repeats
from libs.chassis.audit.sealer import AuditSealer
from libs.chassis.audit.verifier import AuditVerdict, Finding, verify_chain

__all__ = [
    "ANONYMOUS_ACTOR",
    "AuditEntry",
    "AuditKeys",
    "AuditReader",
    "AuditRecord",
    "AuditResult",
    "AuditSealer",
    "AuditTrail",
    "AuditVerdict",
    "ChainLink",
    "Checkpoint",
    "CheckpointSink",
    "FileCheckpointSink",
    "Finding",
    "MemoryAuditTrail",
    "PendingRecord",
    "Refusals",
    "Repeats",
    "encoded_text",
    "verify_chain",
]
