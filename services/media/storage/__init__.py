"""Where the bytes are: S3, or a dictionary for tests."""

from services.media.storage.memory import MemoryObjectStore
from services.media.storage.s3 import S3ObjectStore, S3Options, open_s3

__all__ = ["MemoryObjectStore", "S3ObjectStore", "S3Options", "open_s3"]
