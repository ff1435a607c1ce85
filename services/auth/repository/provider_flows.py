"""Sign-ins on their way to a provider and back, in MongoDB."""

from typing import Any

import msgspec
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.chassis.mongo import driver_errors
from libs.crypto import FieldSealer, KeyRing, Sealed
from services.auth.domain import (
    Destination,
    FlowPurpose,
    ProviderFlow,
    ProviderIdentity,
    ProviderProof,
)

Document = dict[str, Any]


class MongoProviderFlowRepository:
    """Collection ``oidc_flows``: ``_id`` is the hash of a state or of a code.

    Neither kind is ever taken for the other; what a proof says of a person is sealed.
    """

    INDEXES = (
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document], ring: KeyRing) -> None:
        self._flows = database["oidc_flows"]
        self._sealer = FieldSealer(ring)

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._flows.create_indexes(list(self.INDEXES))

    async def add_flow(self, flow: ProviderFlow) -> None:
        """Store a browser that was sent to a provider."""
        document = {
            "_id": flow.state_hash,
            "kind": "flow",
            "binding_hash": flow.binding_hash,
            "provider_id": flow.provider_id,
            "purpose": flow.purpose.value,
            "address": flow.destination.address,
            "challenge": flow.destination.challenge,
            "client_state": flow.destination.client_state,
            "expires_at": flow.expires_at,
        }
        with driver_errors(None):
            await self._flows.insert_one(document)

    async def take_flow(self, state_hash: str) -> ProviderFlow | None:
        """Remove and return one; of several callers one gets it."""
        document = await self._take(state_hash, "flow")
        if document is None:
            return None
        return ProviderFlow(
            state_hash=document["_id"],
            binding_hash=document["binding_hash"],
            provider_id=document["provider_id"],
            purpose=FlowPurpose(document["purpose"]),
            destination=Destination(
                document["address"], document["challenge"], document["client_state"]
            ),
            expires_at=document["expires_at"],
        )

    async def add_proof(self, proof: ProviderProof) -> None:
        """Store a proven identity, sealed."""
        told = msgspec.json.encode(proof.identity).decode()
        sealed = self._sealer.seal(told, "oidc-proof", proof.code_hash)
        document = {
            "_id": proof.code_hash,
            "kind": "proof",
            "identity": {"k": sealed.key_id, "c": sealed.ciphertext},
            "purpose": proof.purpose.value,
            "binding_hash": proof.binding_hash,
            "challenge": proof.challenge,
            "expires_at": proof.expires_at,
        }
        with driver_errors(None):
            await self._flows.insert_one(document)

    async def take_proof(self, code_hash: str) -> ProviderProof | None:
        """Remove and return one; of several callers one gets it."""
        document = await self._take(code_hash, "proof")
        if document is None:
            return None
        field = document["identity"]
        sealed = Sealed(key_id=field["k"], ciphertext=bytes(field["c"]))
        told = self._sealer.open(sealed, "oidc-proof", code_hash)
        return ProviderProof(
            code_hash=code_hash,
            identity=msgspec.json.decode(told, type=ProviderIdentity),
            purpose=FlowPurpose(document["purpose"]),
            binding_hash=document["binding_hash"],
            challenge=document["challenge"],
            expires_at=document["expires_at"],
        )

    async def _take(self, key: str, kind: str) -> Document | None:
        with driver_errors(None):
            found: Document | None = await self._flows.find_one_and_delete(
                {"_id": key, "kind": kind}
            )
        return found
