"""Objects of a real bucket: copied once, or kept by the bucket as versions."""

import json

import boto3
import pytest

from deploy.embedded.passwords import ADMIN, Passwords
from deploy.embedded.servers.seaweedfs import REGION, access_key
from libs.backup.errors import BackupDamagedError, ServerRefusedError
from libs.backup.folder import BackupFolder
from libs.backup.listings import check_objects, read_listing
from libs.backup.objects import Bucket, ObjectCopies, put_objects_back
from libs.kernel import new_id
from tests.unit.backup.folders import nothing_told

pytestmark = pytest.mark.integration


@pytest.fixture
def bucket(stack):
    """A bucket of the test's own, with two objects."""
    s3 = boto3.client(
        "s3",
        endpoint_url=stack.stack.url("s3"),
        region_name=REGION,
        aws_access_key_id=access_key(ADMIN),
        aws_secret_access_key=Passwords(stack.stack).of("s3", ADMIN),
    )
    made = Bucket(s3, f"backup-{new_id()[-12:]}")
    s3.create_bucket(Bucket=made.name)
    for key, content in (("a/1", b"first"), ("b/2", b"second" * 1000)):
        s3.put_object(Bucket=made.name, Key=key, Body=content, ContentType="text/x-a")
    yield made
    for one in made.listed():
        s3.delete_object(Bucket=made.name, Key=one.key)
    s3.close()


def content_of(bucket, key):
    """Return an object's bytes and type."""
    found = bucket.s3.get_object(Bucket=bucket.name, Key=key)
    with found["Body"] as body:
        return body.read(), found["ContentType"]


def test_bk_1_objects_come_back(bucket, tmp_path):
    """BK-1: From copies that are made once; then from versions, where they are kept."""
    folder = BackupFolder(tmp_path)
    with folder.alone("full"):
        pass  # the folders are there from now on
    copies = ObjectCopies(bucket, folder, is_copying=True, tell=nothing_told)
    listing = copies.take()
    assert check_objects(folder, listing) == 2
    [first, second] = read_listing(folder, listing)
    made = (folder.objects / first.file_name).stat().st_mtime_ns
    assert copies.take() == listing
    assert (folder.objects / first.file_name).stat().st_mtime_ns == made
    bucket.s3.delete_object(Bucket=bucket.name, Key="a/1")
    bucket.s3.put_object(Bucket=bucket.name, Key="b/2", Body=b"other")
    assert put_objects_back(bucket, folder, listing, nothing_told) == 2
    assert content_of(bucket, "a/1") == (b"first", "text/x-a")
    assert content_of(bucket, "b/2") == (b"second" * 1000, "text/x-a")
    assert put_objects_back(bucket, folder, listing, nothing_told) == 0
    _refuse_damage(folder, listing, second)
    _versions(bucket, folder)


def _refuse_damage(folder, listing, one):
    path = folder.objects / one.file_name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackupDamagedError):
        check_objects(folder, listing)
    path.unlink()
    with pytest.raises(BackupDamagedError):
        check_objects(folder, listing)


def _versions(bucket, folder):
    kept = ObjectCopies(bucket, folder, is_copying=False, tell=nothing_told)
    with pytest.raises(ServerRefusedError, match="keeps no versions"):
        kept.take()
    bucket.s3.put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    bucket.s3.put_object(Bucket=bucket.name, Key="a/1", Body=b"kept")
    listing = kept.take()
    assert json.dumps([one.version for one in read_listing(folder, listing)])
    bucket.s3.delete_object(Bucket=bucket.name, Key="a/1")
    assert put_objects_back(bucket, folder, listing, nothing_told) == 1
    assert content_of(bucket, "a/1")[0] == b"kept"
