"""Sealed fields and wrapped data keys: bound to place, key and purpose (CR-2, CR-4)."""

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.crypto import (
    DataKeys,
    DecryptError,
    FieldSealer,
    FileKeyWrapper,
    JoinedKeyWrapper,
    KeyRing,
    KeyUnknownError,
    Sealed,
    WrappedKey,
    encrypt,
)
from libs.crypto.aead import additional_data

RING = KeyRing.generate()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CONTEXT = st.lists(TEXT, max_size=4)


@given(TEXT, CONTEXT)
def test_a_field_opens_in_its_place(text, context):
    """Seal and open with the same context is the identity."""
    sealer = FieldSealer(RING)
    sealed = sealer.seal(text, *context)
    assert sealer.open(sealed, *context) == text
    assert sealed.key_id == RING.current_id


@given(TEXT, CONTEXT, CONTEXT)
def test_any_other_context_is_refused(text, context, other):
    """Moved to another event, field, or subject, a field does not open."""
    assume(context != other)
    sealer = FieldSealer(RING)
    with pytest.raises(DecryptError):
        sealer.open(sealer.seal(text, *context), *other)


@pytest.mark.parametrize("place", range(4))
def test_each_part_of_an_events_context_counts(place):
    """Event id, type, field and subject: swapping any one is refused."""
    context = ["0193-event", "message.sent", "content", "0193-conversation"]
    sealer = FieldSealer(RING)
    sealed = sealer.seal("hello", *context)
    context[place] += "x"
    with pytest.raises(DecryptError):
        sealer.open(sealed, *context)


def test_context_parts_cannot_be_reordered():
    """The order of parts is part of the place."""
    sealer = FieldSealer(RING)
    with pytest.raises(DecryptError):
        sealer.open(sealer.seal("hello", "a", "b"), "b", "a")


def test_the_key_id_is_bound_even_when_two_ids_share_a_key():
    """Relabelling a ciphertext with another id of the same key is refused."""
    ring = KeyRing("a", {"a": bytes(32), "b": bytes(32)})
    sealed = FieldSealer(ring).seal("hello", "x")
    with pytest.raises(DecryptError):
        FieldSealer(ring).open(Sealed("b", sealed.ciphertext), "x")


def test_a_field_of_an_unknown_key_says_so():
    """That is not tampering: the ring may be behind."""
    with pytest.raises(KeyUnknownError):
        FieldSealer(RING).open(Sealed("gone", bytes(40)), "x")


def test_bytes_that_are_no_text_are_refused():
    """A sealed value that is not UTF-8 was not made by `seal`."""
    bound = additional_data("parley.field.1", RING.current_id, "x")
    sealed = Sealed(RING.current_id, encrypt(RING.current_key, b"\xff", bound))
    with pytest.raises(DecryptError):
        FieldSealer(RING).open(sealed, "x")


def test_a_sealed_field_survives_json():
    """The wire form carries exactly id and ciphertext."""
    sealed = FieldSealer(RING).seal("hello", "x")
    wire = msgspec.json.encode(sealed)
    assert b"hello" not in wire
    assert msgspec.json.decode(wire, type=Sealed) == sealed


def test_fields_are_resealed_after_rotation():
    """Old fields open under the new ring and are recognised as old."""
    sealed = FieldSealer(RING).seal("hello", "x")
    sealer = FieldSealer(RING.rotated())
    assert sealer.open(sealed, "x") == "hello"
    assert sealer.needs_reseal(sealed)
    assert not sealer.needs_reseal(sealer.seal("hello", "x"))


@given(CONTEXT, CONTEXT)
async def test_a_data_key_opens_only_for_its_context(context, other):
    """A wrapped key moved to another conversation is refused."""
    keys = DataKeys(FileKeyWrapper(RING))
    key, wrapped = await keys.generate(*context)
    assert await keys.unwrap(wrapped, *context) == key
    if other != context:
        with pytest.raises(DecryptError):
            await keys.unwrap(wrapped, *other)


async def test_data_keys_differ():
    """Every conversation gets a key of its own."""
    keys = DataKeys(FileKeyWrapper(RING))
    assert (await keys.generate("c"))[0] != (await keys.generate("c"))[0]


async def test_a_rewrapped_key_is_the_same_key():
    """Rotation of the key-encryption key touches no data (CR-4)."""
    key, wrapped = await DataKeys(FileKeyWrapper(RING)).generate("c")
    rotated = RING.rotated()
    keys = DataKeys(FileKeyWrapper(rotated))
    assert await keys.unwrap(wrapped, "c") == key
    assert keys.needs_rewrap(wrapped)
    renewed = await keys.rewrap(wrapped, "c")
    assert not keys.needs_rewrap(renewed)
    assert await keys.unwrap(renewed, "c") == key
    without_old = DataKeys(FileKeyWrapper(rotated.without(RING.current_id)))
    assert await without_old.unwrap(renewed, "c") == key
    with pytest.raises(KeyUnknownError):
        await without_old.unwrap(wrapped, "c")


async def test_another_wrapper_takes_over():
    """What the older one wrapped opens, and is wrapped anew by the current one."""
    old, new = FileKeyWrapper(RING), FileKeyWrapper(KeyRing.generate())
    key, wrapped = await DataKeys(old).generate("c")
    keys = DataKeys(JoinedKeyWrapper(new, old))
    assert keys.current_id == new.current_id
    assert await keys.unwrap(wrapped, "c") == key
    renewed = await keys.rewrap(wrapped, "c")
    assert await DataKeys(new).unwrap(renewed, "c") == key
    foreign = WrappedKey("elsewhere", wrapped.wrapped)
    assert not JoinedKeyWrapper(new, old).holds("elsewhere")
    with pytest.raises(KeyUnknownError):
        await keys.unwrap(foreign, "c")


async def test_a_field_is_no_data_key():
    """Purposes do not mix though the ring may be the same."""
    sealed = FieldSealer(RING).seal("x" * 32, "c")
    keys = DataKeys(FileKeyWrapper(RING))
    with pytest.raises(DecryptError):
        await keys.unwrap(WrappedKey(sealed.key_id, sealed.ciphertext), "c")


async def test_a_wrapped_key_of_the_wrong_length_is_refused():
    """Only 256-bit keys come out."""
    bound = additional_data("parley.data-key.1", RING.current_id, "c")
    short = WrappedKey(RING.current_id, encrypt(RING.current_key, b"short", bound))
    with pytest.raises(DecryptError):
        await DataKeys(FileKeyWrapper(RING)).unwrap(short, "c")
