"""Data keys under KMS: the real AWS SDK against a stand-in that speaks its protocol."""

import asyncio

import pytest

from libs.crypto import (
    DataKeys,
    DecryptError,
    FileKeyWrapper,
    JoinedKeyWrapper,
    KeyRing,
    KeyUnknownError,
    WrappedKey,
)
from libs.crypto.kms import KmsOptions, open_kms
from libs.kernel import UnavailableError
from tests.support.kms import REGION, kms_stand_in

pytestmark = pytest.mark.integration
PLACE = ("conversation", "c1")


@pytest.fixture
def kms():
    """A stand-in with one key behind the alias parley."""
    with kms_stand_in() as stand_in:
        stand_in.create_key("parley")
        yield stand_in


def options(kms, **more) -> KmsOptions:
    """Return how to reach the stand-in."""
    known = {
        "key_id": "alias/parley",
        "region": REGION,
        "endpoint_url": kms.url,
        "access_key": "AKIDEXAMPLE",
        "secret_key": "not-a-secret",
    }
    return KmsOptions(**known | more)


async def test_a_data_key_comes_back_for_its_place_alone(kms) -> None:
    """KMS holds the key, the context is authenticated, nothing of ours is in clear."""
    async with open_kms(options(kms)) as wrapper:
        keys = DataKeys(wrapper)
        key, wrapped = await keys.generate(*PLACE)
        assert wrapped.key_id == keys.current_id
        assert wrapped.key_id.startswith("arn:aws:kms:")
        assert key not in wrapped.wrapped
        assert await keys.unwrap(wrapped, *PLACE) == key
        with pytest.raises(DecryptError):
            await keys.unwrap(wrapped, "conversation", "c2")
        altered = WrappedKey(wrapped.key_id, b"x" + wrapped.wrapped)
        with pytest.raises(DecryptError):
            await keys.unwrap(altered, *PLACE)
    operations = [operation for operation, _ in kms.calls]
    assert operations == ["DescribeKey", "Encrypt", "Decrypt", "Decrypt", "Decrypt"]
    context = kms.calls[1][1]["EncryptionContext"]
    assert context == {
        "purpose": "parley.data-key.1",
        "context.0": "conversation",
        "context.1": "c1",
    }


async def test_an_alias_that_moves_is_a_rotation(kms) -> None:
    """What the older key wrapped opens by its ARN, and is wrapped anew."""
    async with open_kms(options(kms)) as wrapper:
        key, wrapped = await DataKeys(wrapper).generate(*PLACE)
    kms.create_key("parley")
    async with open_kms(options(kms)) as wrapper:
        keys = DataKeys(wrapper)
        assert keys.needs_rewrap(wrapped)
        renewed = await keys.rewrap(wrapped, *PLACE)
        assert renewed.key_id != wrapped.key_id
        assert not keys.needs_rewrap(renewed)
        assert await keys.unwrap(renewed, *PLACE) == key


async def test_a_ring_is_left_for_kms_and_back(kms) -> None:
    """Both are held while everything is wrapped anew."""
    ring = FileKeyWrapper(KeyRing.generate())
    key, wrapped = await DataKeys(ring).generate(*PLACE)
    async with open_kms(options(kms)) as wrapper:
        there = DataKeys(JoinedKeyWrapper(wrapper, ring))
        renewed = await there.rewrap(wrapped, *PLACE)
        assert await DataKeys(wrapper).unwrap(renewed, *PLACE) == key
        back = DataKeys(JoinedKeyWrapper(ring, wrapper))
        again = await back.rewrap(renewed, *PLACE)
    assert await DataKeys(ring).unwrap(again, *PLACE) == key


async def test_a_key_that_may_not_be_used_is_unknown(kms) -> None:
    """At start and later: the data is not lost, so it is no `DecryptError`."""
    with pytest.raises(KeyUnknownError):
        async with open_kms(options(kms, key_id="alias/other")):
            pass
    async with open_kms(options(kms)) as wrapper:
        keys = DataKeys(wrapper)
        _, wrapped = await keys.generate(*PLACE)
        kms.disable(wrapped.key_id)
        with pytest.raises(KeyUnknownError):
            await keys.unwrap(wrapped, *PLACE)
        with pytest.raises(KeyUnknownError):
            await wrapper.check()


@pytest.mark.parametrize(
    "failure", [("ThrottlingException", 400), ("KMSInternalException", 500)]
)
async def test_a_moments_failure_is_tried_again(kms, failure) -> None:
    """Once: the deadline of the call holds for both tries."""
    async with open_kms(options(kms)) as wrapper:
        kms.failures.append(failure)
        assert await DataKeys(wrapper).generate(*PLACE)


async def test_a_refusal_is_unavailable(kms) -> None:
    """A policy that forbids the use may be put right: transient, and told by code."""
    async with open_kms(options(kms)) as wrapper:
        kms.failures.append(("AccessDeniedException", 400))
        with pytest.raises(UnavailableError) as caught:
            await DataKeys(wrapper).generate(*PLACE)
    assert caught.value.code == "kms_unavailable"
    assert caught.value.details == {"reason": "AccessDeniedException"}


async def test_a_service_that_hangs_costs_the_deadline(kms) -> None:
    """No call waits longer, however many there are; the threads are bounded."""
    async with open_kms(options(kms, threads=2, call_seconds=0.4)) as wrapper:
        kms.delay_seconds = 1.5
        started = asyncio.get_running_loop().time()
        calls = [DataKeys(wrapper).generate(*PLACE) for _ in range(6)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        took = asyncio.get_running_loop().time() - started
        assert all(isinstance(result, UnavailableError) for result in results)
        assert took < 1.4
    assert kms.most_at_once <= 2


async def test_nobody_there_is_unavailable(kms) -> None:
    """A wrong address is told at start."""
    lost = options(kms, endpoint_url="http://127.0.0.1:9", call_seconds=3)
    with pytest.raises(UnavailableError):
        async with open_kms(lost):
            pass
