"""Opens the object store."""

import json

import boto3

from libs.backup.objects import Bucket
from libs.backup.settings import BackupSettings


def open_bucket(settings: BackupSettings) -> Bucket:
    """Return the bucket that is to be backed up."""
    keys: dict[str, str] = {}
    if settings.s3_credentials_file is not None:
        keys = json.loads(settings.s3_credentials_file.read_text())
    s3 = boto3.session.Session(
        aws_access_key_id=keys.get("access_key"),
        aws_secret_access_key=keys.get("secret_key"),
        region_name=settings.s3_region,
    ).client("s3", endpoint_url=settings.s3_endpoint_url)
    return Bucket(s3, settings.s3_bucket)
