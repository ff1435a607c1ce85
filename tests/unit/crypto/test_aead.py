"""AES-256-GCM and the additional data that binds it (CR-1, CR-2, CR-3)."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.crypto import DecryptError, additional_data, decrypt, encrypt

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARTS = st.lists(TEXT, max_size=5)


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_round_trip(plaintext, bound):
    """What was encrypted for a place is read back at that place."""
    assert decrypt(KEY, encrypt(KEY, plaintext, bound), bound) == plaintext


@given(st.binary(max_size=60), st.data())
def test_any_flipped_bit_is_refused(plaintext, data):
    """Nonce, ciphertext and tag are all authenticated."""
    sealed = bytearray(encrypt(KEY, plaintext, b"place"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptError):
        decrypt(KEY, bytes(sealed), b"place")


@given(st.integers(0, 43))
def test_a_cut_ciphertext_is_refused(length):
    """No prefix of a ciphertext opens."""
    sealed = encrypt(KEY, b"0123456789abcdef", b"")
    with pytest.raises(DecryptError):
        decrypt(KEY, sealed[:length], b"")


def test_another_key_does_not_open():
    """A key opens only what it encrypted."""
    with pytest.raises(DecryptError):
        decrypt(os.urandom(32), encrypt(KEY, b"text", b""), b"")


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_only_256_bit_keys_are_taken(length):
    """A shorter key is a programming error, not a weaker cipher."""
    with pytest.raises(ValueError, match="32 bytes"):
        encrypt(bytes(length), b"text", b"")
    with pytest.raises(ValueError, match="32 bytes"):
        decrypt(bytes(length), bytes(60), b"")


@given(PARTS, PARTS)
def test_additional_data_is_unambiguous(left, right):
    """Two lists of parts give the same bytes only if they are the same list."""
    assert (additional_data(*left) == additional_data(*right)) == (left == right)


def test_additional_data_is_what_it_always_was() -> None:
    """What is stored opens only while these bytes stay: length, then UTF-8."""
    assert additional_data("ab", "", "é") == b"\0\0\0\2ab\0\0\0\0\0\0\0\2\xc3\xa9"


def test_parts_do_not_flow_into_each_other():
    """The classic slip of joining: moving the boundary changes the bytes."""
    assert additional_data("ab", "c") != additional_data("a", "bc")
    assert additional_data("") != additional_data()


def test_nonces_do_not_repeat_across_a_fork():
    """Parent and child draw different nonces (CR-3)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's coverage is lost with it
        nonces = b"".join(encrypt(KEY, b"", b"")[:12] for _ in range(500))
        os.write(write, nonces)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    ours = {encrypt(KEY, b"", b"")[:12] for _ in range(500)}
    both = ours | {theirs[i : i + 12] for i in range(0, len(theirs), 12)}
    assert len(both) == 1000
