"""One contract for the object stores, on S3 and in memory; S3's refusals."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from deploy.embedded.layout import write_private
from libs.kernel import UnavailableError, new_id
from services.media.ports import StoredObject
from services.media.storage import MemoryObjectStore, S3Options, open_s3

FIVE_MINUTES = timedelta(minutes=5)
PNG = "image/png"


async def send(ticket, content, *, url=None, **headers):
    """Send an upload as a client does; return the store's status."""
    sent = {**ticket.headers, **headers}
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as client,
        client.request(
            ticket.method, url or ticket.url, data=content, headers=sent
        ) as answer,
    ):
        return answer.status


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.integration)])
async def store(request):
    """An object store."""
    if request.param == "memory":
        yield MemoryObjectStore()
        return
    async with open_s3(request.getfixturevalue("s3_options")) as store:
        yield store


async def test_object_round_trip(store, tmp_path):
    """A file comes back byte for byte, and is gone after its deletion."""
    key, source = f"documents/{new_id()}", tmp_path / "source"
    source.write_bytes(b"content" * 100_000)
    assert await store.stat(key) is None
    await store.upload(key, source, content_type=PNG)
    assert await store.stat(key) == StoredObject(700_000, PNG)
    assert await store.download(key, tmp_path / "got", max_bytes=700_000)
    assert (tmp_path / "got").read_bytes() == source.read_bytes()
    await store.delete([key, f"documents/{new_id()}"])
    assert await store.stat(key) is None


async def test_download_is_bounded(store, tmp_path):
    """An object that is larger than expected is not taken, nor one not there."""
    key, source = f"documents/{new_id()}", tmp_path / "source"
    source.write_bytes(b"12345")
    await store.upload(key, source, content_type=PNG)
    assert not await store.download(key, tmp_path / "got", max_bytes=4)
    assert not await store.download(
        f"documents/{new_id()}", tmp_path / "x", max_bytes=9
    )


async def test_blank_replaces(store):
    """A blanked object is empty."""
    key = f"quarantine/{new_id()}"
    await store.blank(key)
    found = await store.stat(key)
    assert found is not None
    assert found.size_bytes == 0


async def test_ping(store):
    """A store that answers is well."""
    await store.ping()


@pytest.fixture
async def ticket(s3):
    """A ticket for ten bytes of PNG."""
    return await s3.sign_upload(
        f"quarantine/{new_id()}",
        content_type=PNG,
        size_bytes=10,
        lifetime=FIVE_MINUTES,
    )


@pytest.mark.integration
async def test_ticket_takes_what_was_announced(ticket):
    """The announced bytes are taken once; a replay is refused (UP-6)."""
    assert await send(ticket, b"0123456789") == 200
    assert await send(ticket, b"9876543210") == 412


@pytest.mark.integration
@pytest.mark.parametrize("size", [0, 1, 9, 11, 100_000])
async def test_ticket_refuses_another_size(ticket, size):
    """Not a byte less or more than announced (UP-6)."""
    assert await send(ticket, b"x" * size) == 403


@pytest.mark.integration
async def test_ticket_refuses_changes(ticket):
    """Another type, key, condition or extra right breaks the signature (UP-6)."""
    content = b"0123456789"
    key = ticket.url.partition("?")[0].rpartition("/")[2]
    other_key = ticket.url.replace(key, new_id())
    other_folder = ticket.url.replace("quarantine/", "documents/")
    longer = ticket.url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000")
    assert await send(ticket, content, **{"Content-Type": "text/html"}) == 403
    assert await send(ticket, content, **{"If-None-Match": "x"}) == 403
    assert await send(ticket, content, **{"x-amz-acl": "public-read"}) == 403
    for url in (other_key, other_folder, longer):
        assert await send(ticket, content, url=url) == 403
    async with aiohttp.ClientSession() as client:
        for method in ("GET", "DELETE", "POST"):
            async with client.request(method, ticket.url) as answer:
                assert answer.status in (400, 403, 405)


@pytest.mark.integration
async def test_blanked_object_keeps_a_ticket_from_working(s3, ticket):
    """After the checks an upload ticket is worth nothing (UP-6)."""
    key = "quarantine/" + ticket.url.partition("?")[0].rpartition("/")[2]
    await s3.blank(key)
    assert await send(ticket, b"0123456789") == 412


@pytest.mark.integration
async def test_links_expire(s3):
    """A ticket and a download link end when they say (UP-6, UP-7)."""
    second = timedelta(seconds=1)
    key = f"quarantine/{new_id()}"
    ticket = await s3.sign_upload(key, content_type=PNG, size_bytes=1, lifetime=second)
    link = await s3.sign_download(
        key, content_type=PNG, disposition="attachment", lifetime=second
    )
    time.sleep(2.2)  # noqa: ASYNC251 - nothing else runs here
    assert await send(ticket, b"x") == 403
    async with aiohttp.ClientSession() as client, client.get(link) as answer:
        assert answer.status == 403


@pytest.mark.integration
async def test_download_answers_as_signed(s3, tmp_path):
    """Type and disposition are those that were signed, and cannot be changed."""
    key, source = f"documents/{new_id()}", tmp_path / "source"
    source.write_bytes(b"hello")
    await s3.upload(key, source, content_type="text/html")
    link = await s3.sign_download(
        key,
        content_type="application/octet-stream",
        disposition="attachment; filename=\"a_.txt\"; filename*=UTF-8''%C3%A4.txt",
        lifetime=timedelta(seconds=60),
    )
    async with aiohttp.ClientSession() as client:
        async with client.get(link) as answer:
            assert await answer.read() == b"hello"
            assert answer.content_type == "application/octet-stream"
            assert "no-store" in answer.headers["Cache-Control"]
            assert answer.headers["Content-Disposition"].startswith("attachment;")
        async with client.get(link.replace("attachment", "inline")) as answer:
            assert answer.status == 403


@pytest.mark.integration
async def test_other_buckets_are_refused(s3_options):
    """The service's identity opens its own bucket alone (IN-2)."""
    options = replace(s3_options, bucket="parley-other")
    async with open_s3(options) as store:
        with pytest.raises(UnavailableError):
            await store.blank("x")


@pytest.mark.integration
async def test_se_1_new_keys_are_used_within_a_second(s3_options, tmp_path):
    """SE-1: of what is signed from then on, without a restart."""
    good = s3_options.credentials_file.read_text()
    keys = tmp_path / "s3.json"
    write_private(keys, json.dumps({"access_key": "media", "secret_key": "old"}))
    async with open_s3(replace(s3_options, credentials_file=keys)) as store:
        with pytest.raises(UnavailableError):
            await store.blank("se-1")
        write_private(keys, good)
        async with asyncio.timeout(3):
            while not await _takes(store):  # noqa: ASYNC110 - it looks once a second
                await asyncio.sleep(0.05)


async def _takes(store):
    try:
        await store.blank("se-1")
    except UnavailableError:
        return False
    return True


async def test_store_that_is_away(unused_tcp_port, tmp_path):
    """A store that does not answer is unavailable within six seconds."""
    keys = tmp_path / "s3.json"
    write_private(keys, json.dumps({"access_key": "a", "secret_key": "b"}))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    options = S3Options(
        endpoint_url=url,
        public_url=url,
        bucket="parley-media",
        region="us-east-1",
        credentials_file=keys,
    )
    async with open_s3(options) as store:
        start = time.monotonic()
        with pytest.raises(UnavailableError) as refusal:
            await store.stat("x")
        assert time.monotonic() - start < 6
        assert refusal.value.code == "store_unavailable"
        assert (
            await store.sign_upload(
                "x", content_type=PNG, size_bytes=1, lifetime=FIVE_MINUTES
            )
        ).url.startswith(url)
