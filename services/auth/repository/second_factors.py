"""Second factors and pending sign-ins in MongoDB."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import driver_errors
from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.kernel import UserId
from services.auth.domain import (
    PENDING_SIGN_IN_TRIES_MAX,
    AuthMethod,
    ClientDevice,
    PendingSignIn,
    SecondFactors,
    TotpSeed,
)
from services.auth.ports import DatabaseSession

Document = dict[str, Any]


class MongoSecondFactorRepository:
    """Collection ``mfa``: ``_id`` is the user id, seeds are sealed."""

    def __init__(self, database: AsyncDatabase[Document], ring: KeyRing) -> None:
        self._factors = database["mfa"]
        self._sealer = FieldSealer(ring)

    async def get(self, user_id: UserId, session: DatabaseSession) -> SecondFactors:
        """Return a user's factors; see `SecondFactorRepository.get`."""
        with driver_errors(session):
            document = await self._factors.find_one({"_id": user_id}, session=session)
        return self._opened(document) if document else SecondFactors(user_id)

    async def save(self, factors: SecondFactors, session: DatabaseSession) -> bool:
        """Replace the revision before; see `SecondFactorRepository.save`."""
        before = {"_id": factors.user_id, "revision": factors.revision - 1}
        document = self._document(factors)
        with driver_errors(session):
            try:
                result = await self._factors.replace_one(
                    before, document, upsert=factors.revision == 1, session=session
                )
            except DuplicateKeyError:
                return False
        return result.matched_count == 1 or result.upserted_id is not None

    async def remove(self, user_id: UserId, session: DatabaseSession) -> None:
        """Forget a user's factors."""
        with driver_errors(session):
            await self._factors.delete_one({"_id": user_id}, session=session)

    def _document(self, factors: SecondFactors) -> Document:
        return {
            "_id": factors.user_id,
            "revision": factors.revision,
            "totp": self._sealed(factors.totp, factors.user_id),
            "totp_candidate": self._sealed(factors.totp_candidate, factors.user_id),
            "recovery_hashes": list(factors.recovery_hashes),
        }

    def _opened(self, document: Document) -> SecondFactors:
        user_id = UserId(document["_id"])
        return SecondFactors(
            user_id=user_id,
            revision=document["revision"],
            totp=self._seed(document["totp"], user_id),
            totp_candidate=self._seed(document["totp_candidate"], user_id),
            recovery_hashes=tuple(document["recovery_hashes"]),
        )

    def _sealed(self, seed: TotpSeed | None, user_id: UserId) -> Document | None:
        if seed is None:
            return None
        sealed = self._sealer.seal(seed.secret, "mfa", user_id, "totp")
        return {
            "secret": {"k": sealed.key_id, "c": sealed.ciphertext},
            "set_at": seed.set_at,
            "last_step": seed.last_step,
        }

    def _seed(self, document: Document | None, user_id: UserId) -> TotpSeed | None:
        if document is None:
            return None
        field = document["secret"]
        sealed = Sealed(key_id=field["k"], ciphertext=bytes(field["c"]))
        return TotpSeed(
            secret=self._sealer.open(sealed, "mfa", user_id, "totp"),
            set_at=document["set_at"],
            last_step=document["last_step"],
        )


class MongoPendingSignInRepository:
    """Collection ``pending_sign_ins``: ``_id`` is the token's hash."""

    INDEXES = (
        IndexModel([("user_id", ASCENDING)], name="user"),
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._pending = database["pending_sign_ins"]

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._pending.create_indexes(list(self.INDEXES))

    async def add(self, pending: PendingSignIn, session: DatabaseSession) -> None:
        """Store one."""
        document = {
            "_id": pending.token_hash,
            "user_id": pending.user_id,
            "device_name": pending.device.name,
            "client_address": pending.device.address,
            "has_cookie": pending.device.has_cookie,
            "provider_id": pending.device.provider_id,
            "provider_session_hash": pending.device.provider_session_hash,
            "methods": [method.value for method in pending.methods],
            "expires_at": pending.expires_at,
            "is_enrolment": pending.is_enrolment,
            "tries": pending.tries,
        }
        with driver_errors(session):
            await self._pending.insert_one(document, session=session)

    async def get(self, token_hash: str) -> PendingSignIn | None:
        """Return one, open or not."""
        with driver_errors(None):
            document = await self._pending.find_one({"_id": token_hash})
        return _pending(document) if document else None

    async def count_try(self, token_hash: str, *, at: datetime) -> PendingSignIn | None:
        """Count a guess; see `PendingSignInRepository.count_try`."""
        is_open = {
            "_id": token_hash,
            "expires_at": {"$gt": at},
            "tries": {"$lt": PENDING_SIGN_IN_TRIES_MAX},
        }
        with driver_errors(None):
            document = await self._pending.find_one_and_update(
                is_open, {"$inc": {"tries": 1}}, return_document=ReturnDocument.AFTER
            )
        return _pending(document) if document else None

    async def take(self, token_hash: str, session: DatabaseSession) -> bool:
        """Remove one; of several callers one gets True."""
        with driver_errors(session):
            result = await self._pending.delete_one(
                {"_id": token_hash}, session=session
            )
        return result.deleted_count == 1

    async def remove_all(self, user_id: UserId, session: DatabaseSession) -> None:
        """Void all of a user's."""
        with driver_errors(session):
            await self._pending.delete_many({"user_id": user_id}, session=session)


def _pending(document: Document) -> PendingSignIn:
    return PendingSignIn(
        token_hash=document["_id"],
        user_id=UserId(document["user_id"]),
        device=ClientDevice(
            document["device_name"],
            document["client_address"],
            document["has_cookie"],
            document["provider_id"],
            document["provider_session_hash"],
        ),
        methods=tuple(AuthMethod(text) for text in document["methods"]),
        expires_at=document["expires_at"],
        is_enrolment=document["is_enrolment"],
        tries=document["tries"],
    )
