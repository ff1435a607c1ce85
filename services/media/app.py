"""Composition root of media."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.app import create_http_app
from libs.chassis.health import Health
from libs.chassis.mongo import open_mongo, ping
from libs.chassis.tasks import TaskSupervisor
from libs.crypto import FieldSealer, KeyRing
from libs.events import EventBus
from libs.events.rabbitmq import open_bus
from libs.events.settings import BusSettings
from libs.kernel import SystemClock
from services.media.api import MediaState, router
from services.media.consumers import worker
from services.media.renditions.child import ChildPictureRenderer
from services.media.repository import (
    MongoAccessRepository,
    MongoDocumentRepository,
    MongoLease,
)
from services.media.service import (
    AccessPolicy,
    DocumentService,
    ProcessingService,
    SweepingService,
    UploadPolicy,
    UploadService,
)
from services.media.settings import MediaSettings
from services.media.storage import S3ObjectStore, S3Options, open_s3
