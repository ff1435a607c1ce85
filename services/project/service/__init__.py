"""The use cases: projects and their collaborators.

Every change is one transaction with its event and a compare-and-set on the
project's revision, so that revisions are gap-free and the last owner cannot leave
twice at once.
"""

from services.project.service.collaborators import CollaboratorService
from services.project.service.ledger import ProjectLedger
from services.project.service.projects import ProjectService

__all__ = ["CollaboratorService", "ProjectLedger", "ProjectService"]
