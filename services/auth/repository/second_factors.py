"""Second factors and pending sign-ins in MongoDB."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import driver_errors
from libs.crypto import FieldSealer, KeyRing, Sealed
from libs.kernel import UserId
from services.auth.domain import (
    Passkey,
    SecondFactors,
    TotpSeed,
)
from services.auth.domain.errors import PasskeyKnownError
from services.auth.ports import DatabaseSession

Document = dict[str, Any]


class MongoSecondFactorRepository:
    """Collection ``mfa``: ``_id`` is the user id, seeds are sealed."""

    INDEXES = (
        IndexModel(
            [("passkeys.credential_id", ASCENDING)],
            name="credential",
            unique=True,
            partialFilterExpression={"passkeys.credential_id": {"$type": "string"}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document], ring: KeyRing) -> None:
        self._factors = database["mfa"]
        self._sealer = FieldSealer(ring)

    async def create_indexes(self) -> None:
        """Make the indexes; idempotent."""
        with driver_errors(None):
            await self._factors.create_indexes(list(self.INDEXES))

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
            except DuplicateKeyError as error:
                if "passkeys" in str((error.details or {}).get("keyPattern")):
                    raise PasskeyKnownError from None
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
            "passkeys": [_key_document(passkey) for passkey in factors.passkeys],
        }

    def _opened(self, document: Document) -> SecondFactors:
        user_id = UserId(document["_id"])
        return SecondFactors(
            user_id=user_id,
            revision=document["revision"],
            totp=self._seed(document["totp"], user_id),
            totp_candidate=self._seed(document["totp_candidate"], user_id),
            recovery_hashes=tuple(document["recovery_hashes"]),
            passkeys=tuple(_passkey(one) for one in document["passkeys"]),
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


def _key_document(passkey: Passkey) -> Document:
    return {
        "passkey_id": passkey.passkey_id,
        "credential_id": passkey.credential_id,
        "name": passkey.name,
        "public_key": passkey.public_key,
        "sign_count": passkey.sign_count,
        "created_at": passkey.created_at,
        "last_used_at": passkey.last_used_at,
        "opens_alone": passkey.opens_alone,
    }


def _passkey(document: Document) -> Passkey:
    return Passkey(
        passkey_id=document["passkey_id"],
        credential_id=document["credential_id"],
        name=document["name"],
        public_key=bytes(document["public_key"]),
        sign_count=document["sign_count"],
        created_at=document["created_at"],
        last_used_at=document["last_used_at"],
        # Keys from before this was kept show it when they sign in alone.
        opens_alone=document.get("opens_alone", False),
    )
