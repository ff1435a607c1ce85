"""Use cases of media: upload, read, delete, check, sweep, and who may do what."""

from services.media.service.access import AccessPolicy
from services.media.service.documents import DocumentService, DownloadLink
from services.media.service.erasure import PersonErasure
from services.media.service.processing import ProcessingService
from services.media.service.sweeping import SweepingService, SweepReport, SweepTimes
from services.media.service.uploads import UploadPolicy, UploadRequest, UploadService

__all__ = [
    "AccessPolicy",
    "DocumentService",
    "DownloadLink",
    "PersonErasure",
    "ProcessingService",
    "SweepReport",
    "SweepTimes",
    "SweepingService",
    "UploadPolicy",
    "UploadRequest",
    "UploadService",
]
