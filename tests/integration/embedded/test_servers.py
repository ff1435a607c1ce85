"""The servers of a stack keep services apart: each account within its own."""

import contextlib
import os

import aio_pika
import aiohttp
import aiormq
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

pytestmark = pytest.mark.integration


def test_own_database_is_served_and_foreign_ones_are_refused(stack):
    """IN-2: a service's MongoDB account reads its own database and no other."""
    with MongoClient(stack.database_url("chat")) as client:
        client["parley_chat"].probes.insert_one({"name": "own"})
        client["parley_chat"].probes.drop()
        for foreign in ("parley_auth", "parley_media", "admin", "local"):
            with pytest.raises(OperationFailure, match="not authorized"):
                client[foreign].probes.find_one()
        with pytest.raises(OperationFailure, match="not authorized"):
            client["parley_auth"].probes.insert_one({"name": "foreign"})


def test_mongodb_serves_nobody_without_an_account(stack):
    """An anonymous connection reads nothing, now that accounts exist."""
    url = f"mongodb://127.0.0.1:{stack.port('mongod')}/?directConnection=true"
    with MongoClient(url) as client, pytest.raises(OperationFailure):
        client["parley_chat"].probes.find_one()


async def test_foreign_queue_and_foreign_exchange_are_refused(stack):
    """IN-2: a service's account reads its own queues and writes its exchanges."""
    connection = await aio_pika.connect(stack.amqp_url("notification"))
    async with connection:
        channel = await connection.channel()
        foreign = await channel.get_queue("chat.user-created", ensure=False)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await foreign.get(fail=False)
        channel = await connection.channel()
        exchange = await channel.get_exchange("message.events", ensure=False)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await exchange.publish(aio_pika.Message(b"{}"), "message.sent")
        channel = await connection.channel()
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await channel.declare_queue("chat.mine", durable=True)


@pytest.mark.parametrize("user", ["guest", "nobody"])
async def test_rabbitmq_knows_no_account_of_its_own(stack, user):
    """The account every RabbitMQ comes with is not there."""
    url = f"amqp://{user}:{user}@127.0.0.1:{stack.port('amqp')}/"
    with pytest.raises(aiormq.exceptions.AMQPConnectionError):
        await aiormq.connect(url)


def test_foreign_keys_and_dangerous_commands_are_refused(stack):
    """IN-2: a service's Valkey account stays within its own keys and channels."""
    with Redis.from_url(stack.redis_url("notification")) as client:
        client.set("notification:probe", "1", ex=5)
        assert client.get("notification:probe") == b"1"
        for refused in (
            lambda: client.get("auth:session:1"),
            lambda: client.eval("return redis.call('get', KEYS[1])", 1, "auth:x"),
            lambda: client.publish("session.revoked", "x"),
            client.flushall,
            lambda: client.keys("*"),
            lambda: client.config_get("*"),
        ):
            with pytest.raises(NoPermissionError):
                refused()


def test_revocations_are_heard_by_those_who_must(stack):
    """The revocation channel is open to auth, gateway and chat."""
    for service in ("auth", "gateway", "chat"):
        with Redis.from_url(stack.redis_url(service)) as client:
            client.publish("session.revoked", "{}")


def test_valkey_serves_nobody_without_an_account(stack):
    """The default user is off."""
    with (
        Redis(port=stack.port("valkey")) as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_foreign_bucket_is_refused(stack):
    """IN-2: media's S3 identity may use its bucket and make no other."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.port('s3')}",
        **stack.store_keys(),
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )
    try:
        client.put_object(Bucket="parley-media", Key="probe", Body=b"x")
        client.delete_object(Bucket="parley-media", Key="probe")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.create_bucket(Bucket="elsewhere")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="elsewhere", Key="probe", Body=b"x")
    finally:
        client.close()


def test_stored_bytes_are_not_on_the_disk_in_clear(stack):
    """An object comes back whole, and no file of the store holds a piece of it."""
    content = os.urandom(300_000)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.port('s3')}",
        **stack.store_keys(),
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )
    with contextlib.closing(client):
        client.put_object(Bucket="parley-media", Key="clear", Body=content)
        client.put_object(Bucket="parley-media", Key="short", Body=content[:64])
        stored = client.get_object(Bucket="parley-media", Key="clear")["Body"]
        assert stored.read() == content
        files = [
            p for p in (stack.root / "data" / "seaweedfs").rglob("*") if p.is_file()
        ]
        held = {path: path.read_bytes() for path in files}
        assert sum(len(text) for text in held.values()) > len(content)
        for piece in (content[:64], content[150_000:150_064], content[-64:]):
            assert [path.name for path, text in held.items() if piece in text] == []
        for key in ("clear", "short"):
            client.delete_object(Bucket="parley-media", Key=key)


@pytest.mark.parametrize("listener", ["filer", "volume"])
async def test_storage_behind_s3_serves_nobody(stack, listener):
    """SeaweedFS's inner listeners hand out nothing without their own tokens."""
    async with aiohttp.ClientSession() as session:
        form = aiohttp.FormData()
        form.add_field("file", b"x", filename="probe")
        url = f"http://127.0.0.1:{stack.port(listener)}/buckets/parley-media/probe"
        async with session.post(url, data=form) as response:
            assert response.status in (400, 401)
        async with session.get(url) as response:
            assert response.status in (400, 401, 404)


def test_everything_listens_on_loopback_alone(stack):
    """No server of the stack can be reached from another machine."""
    import psutil  # noqa: PLC0415 - this test alone looks at sockets

    block = range(stack.stack.base, stack.stack.base + 100)
    listening = [
        connection.laddr
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in block
    ]
    assert len(listening) > 10
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}
