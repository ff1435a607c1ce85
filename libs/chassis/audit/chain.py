"""The chain: what one link says, and the keys that make it hard to say again.

A link's ``hash`` covers everything in it and the hash before; its ``mac`` is made with
a key that is not in the database. So whoever can write the database but has no key can
change nothing that stands in the chain unnoticed. A checkpoint is a link's place,
signed, and kept elsewhere: it shows when somebody has cut the end off.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.crypto import KeyRing, KeyUnknownError

ORIGIN: Final = "0" * 64
"""The hash before the first link."""


@dataclass(frozen=True)
class PendingRecord:
    """A record that has no number yet.

    Attributes:
        record_id: UUIDv7 of the record.
        record_hash: `record_hash` of it, taken by whoever wrote it.
    """

    record_id: str
    record_hash: str


@dataclass(frozen=True, kw_only=True)
class ChainLink:
    """One record's place in the chain.

    Attributes:
        seq: 1, 2, 3 … without a gap.
        record_id: Of the record.
        record_hash: SHA-256 of the record, in hex.
        previous: Hash of the link before; `ORIGIN` for the first.
        epoch: Of the sealer's lease.
        key_id: Key of the ring that made the mac.
        sealed_at: UTC, whole milliseconds.
        hash: SHA-256 over all of the above and the service, in hex.
        mac: HMAC-SHA256 of the hash, in hex.
    """

    seq: int
    record_id: str
    record_hash: str
    previous: str
    epoch: int
    key_id: str
    sealed_at: datetime
    hash: str = ""
    mac: str = ""

    def hash_for(self, service: str) -> str:
        """Return the hash that this link must have in a service's chain."""
        return _digest(
            {
                "service": service,
                "seq": self.seq,
                "record_id": self.record_id,
                "record_hash": self.record_hash,
                "previous": self.previous,
                "epoch": self.epoch,
                "key_id": self.key_id,
                "sealed_at": self.sealed_at,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """How far a chain was at a moment, signed.

    Attributes:
        seq: Number of the last link then.
        hash: Its hash.
        at: UTC, whole milliseconds.
        key_id: Key of the ring whose signing key signed.
        signature: Ed25519, in hex.
    """

    service: str
    seq: int
    hash: str
    at: datetime
    key_id: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return what the signature covers."""
        return _canonical(
            {
                "service": self.service,
                "seq": self.seq,
                "hash": self.hash,
                "at": self.at,
                "key_id": self.key_id,
            }
        )


class ChainStore(Protocol):
    """Where records wait for their number, and where the chain stands."""

    async def pending(self, limit: int) -> list[PendingRecord]:
        """Return records without a number, by their ids; whenever they committed."""
        ...

    async def head(self) -> ChainLink | None:
        """Return the last link; None of an empty chain."""
        ...

    async def link(self, seq: int) -> ChainLink | None:
        """Return the link of a number."""
        ...

    async def append(self, links: list[ChainLink]) -> None:
        """Add links and take their records off the waiting list, or do nothing.

        Raises:
            ChainMovedError: Another sealer was first.
            UnavailableError: The database does not answer.
        """
        ...


class AuditKeys:
    """What chains and signs; both are derived from each key of one ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._macs: dict[str, bytes] = {}

    @property
    def current_id(self) -> str:
        """Id of the key that chains and signs now."""
        return self._ring.current_id

    def chained(self, service: str, link: ChainLink) -> ChainLink:
        """Return a link with its hash and mac."""
        digest = link.hash_for(service)
        return replace(link, hash=digest, mac=self._mac(link.key_id, digest))

    def is_genuine(self, service: str, link: ChainLink) -> bool:
        """Tell whether hash and mac of a link are what its content says."""
        digest = link.hash_for(service)
        try:
            mac = self._mac(link.key_id, digest)
        except KeyUnknownError:
            return False
        return hmac.compare_digest(digest, link.hash) and hmac.compare_digest(
            mac, link.mac
        )

    def signed(self, service: str, link: ChainLink, at: datetime) -> Checkpoint:
        """Return the checkpoint of a link."""
        bare = Checkpoint(
            service=service,
            seq=link.seq,
            hash=link.hash,
            at=whole_milliseconds(at),
            key_id=self.current_id,
        )
        signature = self._signer(bare.key_id).sign(bare.signed_bytes())
        return replace(bare, signature=signature.hex())

    def has_signed(self, checkpoint: Checkpoint) -> bool:
        """Tell whether a checkpoint's signature is one of ours."""
        try:
            self._signer(checkpoint.key_id).public_key().verify(
                bytes.fromhex(checkpoint.signature), checkpoint.signed_bytes()
            )
        except (InvalidSignature, KeyUnknownError, ValueError):
            return False
        return True

    def public_keys(self) -> dict[str, str]:
        """Return the public keys of checkpoints in hex, for a verifier elsewhere."""
        return {
            key_id: self._signer(key_id).public_key().public_bytes_raw().hex()
            for key_id in self._ring.key_ids
        }

    def _signer(self, key_id: str) -> Ed25519PrivateKey:
        seed = _derived(self._ring.key(key_id), "checkpoint")
        return Ed25519PrivateKey.from_private_bytes(seed)

    def _mac(self, key_id: str, digest: str) -> str:
        key = self._macs.get(key_id)
        if key is None:
            key = self._macs[key_id] = _derived(self._ring.key(key_id), "chain")
        return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()


def record_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a record as it reads from the database."""
    return _digest(document)


def whole_milliseconds(moment: datetime) -> datetime:
    """Return a moment as the database keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, default=_moment, sort_keys=True, separators=(",", ":"))
    return text.encode()


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"no {type(value).__name__} in an audit record")
    return value.astimezone(UTC).isoformat(timespec="milliseconds")


def _derived(key: bytes, purpose: str) -> bytes:
    hkdf = HKDF(SHA256(), length=32, salt=None, info=f"parley audit {purpose}".encode())
    return hkdf.derive(key)
