"""Media's adapters on the real servers of the test stack."""

import pytest

from libs.chassis.mongo import open_mongo
from libs.chassis.settings import load_settings
from services.media.settings import MediaSettings
from services.media.storage import S3Options, open_s3


@pytest.fixture
def settings(stack, monkeypatch):
    """Settings of a media process of the test stack."""
    environment = stack.service_environment("media") | direct_access(stack)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(MediaSettings)


def direct_access(stack):
    """Let clients reach the store without the edge, which these tests do not need."""
    return {"MEDIA_S3_PUBLIC_URL": f"http://127.0.0.1:{stack.port('s3')}"}


@pytest.fixture
async def database(settings):
    """The service's own database."""
    async with open_mongo(settings) as database:
        yield database


@pytest.fixture
def s3_options(settings):
    """How the service reaches its bucket."""
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
    )


@pytest.fixture
async def s3(s3_options):
    """The service's object store."""
    async with open_s3(s3_options) as store:
        yield store
