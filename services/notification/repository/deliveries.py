"""The durable queue of pushes and mails, claimed by lease on the server's clock."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConflictError, UserId, new_id
from services.notification.domain.delivery import (
    MESSAGES_PER_MAIL,
    Channel,
    Delivery,
    DeliveryState,
    MessageRef,
    Notice,
    Origin,
)
from services.notification.repository.guard import Database
from services.notification.repository.removal import remove_some
from services.notification.repository.vault import Vault

Session = Any  # pymongo's AsyncClientSession; opaque to the core

_DUPLICATE = 11_000
_IS_DUE = {"$expr": {"$lte": ["$due_at", "$$NOW"]}}


class MongoDeliveryRepository:
    """See `DeliveryRepository`; collections ``deliveries`` and ``suppressions``.

    A claim moves ``due_at`` to the end of its lease and leaves a token, so a claim
    that is never settled is due again by itself, and a late settlement finds that it
    is no longer the holder.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._deliveries = database["deliveries"]
        self._suppressions = database["suppressions"]
        self._vault = vault

    async def add(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Queue deliveries; (event, channel, target) is unique."""
        documents = [self._document(delivery) for delivery in deliveries]
        try:
            await self._deliveries.insert_many(documents, session=session)
        except BulkWriteError as error:
            if any(one["code"] == _DUPLICATE for one in error.details["writeErrors"]):
                raise ConflictError(
                    "delivery_exists", "The event was turned into deliveries before."
                ) from None  # the driver's message quotes the document
            raise

    async def add_to_mails(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Add a message to each user's waiting mail of its conversation."""
        mails: dict[tuple[str, str | None], list[Delivery]] = {}
        for delivery in deliveries:
            key = (delivery.target, delivery.conversation_id)
            mails.setdefault(key, []).append(delivery)
        if mails:
            await self._deliveries.bulk_write(
                [self._append(gathered) for gathered in mails.values()],
                ordered=False,
                session=session,
            )

    async def claim(
        self, channel: Channel, *, holder: str, limit: int, lease: timedelta
    ) -> list[Delivery]:
        """Take due deliveries, the longest due first, for the time of a lease."""
        due = {
            "channel": channel.value,
            "state": DeliveryState.PENDING.value,
            **_IS_DUE,
        }
        with map_mongo_errors():
            candidates = (
                await self._deliveries.find(due, {"_id": True})
                .sort("due_at", ASCENDING)
                .limit(limit)
                .to_list()
            )
            if not candidates:
                return []
            ids = {"_id": {"$in": [candidate["_id"] for candidate in candidates]}}
            claim_id = new_id()
            await self._deliveries.update_many(
                {**ids, **due}, _claimed(claim_id, holder, lease)
            )
            found = (
                await self._deliveries.find({**ids, "claim_id": claim_id})
                .sort("_id", ASCENDING)
                .to_list()
            )
        return [self._delivery(document) for document in found]

    async def release(self, holder: str) -> int:
        """Make what a holder left claimed due at once; return how many."""
        with map_mongo_errors():
            result = await self._deliveries.update_many(
                {"state": DeliveryState.PENDING.value, "holder": holder},
                [
                    {"$set": {"due_at": {"$min": ["$due_at", "$$NOW"]}}},
                    {"$unset": ["claim_id", "holder"]},
                ],
            )
        return result.modified_count

    async def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        reason: str | None,
        now: datetime,
        session: Session = None,
    ) -> bool:
        """Make a claimed delivery final and forget its private content."""
        result = await self._deliveries.update_one(
            _held(delivery),
            {
                "$set": {"state": state.value, "reason": reason, "finished_at": now},
                "$unset": {"notice": True, "claim_id": True, "holder": True},
            },
            session=session,
        )
        return result.modified_count == 1

    async def put_back(
        self,
        delivery: Delivery,
        *,
        due_at: datetime,
        reason: str,
        attempts: int,
        unknowns: int,
        is_claim_counted: bool = True,
    ) -> None:
        """Give a claimed delivery back; nothing happens if the claim is lost."""
        update: dict[str, Any] = {
            "$set": {
                "due_at": due_at,
                "reason": reason,
                "attempts": attempts,
                "unknowns": unknowns,
            },
            "$unset": {"claim_id": True, "holder": True},
            "$inc": {"claims": 0 if is_claim_counted else -1},
        }
        was_never_tried = attempts == 0 and not is_claim_counted
        with map_mongo_errors():
            if was_never_tried and _collects(delivery):
                reopened = {**update, "$set": {**update["$set"], "is_open": True}}
                try:
                    await self._deliveries.update_one(_held(delivery), reopened)
                except DuplicateKeyError:
                    pass  # another mail collects by now: this one stays as it is
                else:
                    return
            await self._deliveries.update_one(_held(delivery), update)

    async def suppress(
        self,
        address: str,
        *,
        user_id: UserId | None,
        reason: str,
        now: datetime,
        session: Session = None,
    ) -> None:
        """Keep that an address is dead; see `DeliveryRepository.suppress`."""
        await self._suppressions.update_one(
            {"_id": self._vault.blind(address.lower(), "address")},
            {"$set": {"user_id": user_id, "reason": reason, "at": now}},
            upsert=True,
            session=session,
        )

    async def suppressed(self, addresses: Iterable[str]) -> set[str]:
        """Return which of some addresses are dead."""
        by_hash = {
            digest: address
            for address in addresses
            for digest in self._vault.blinds(address.lower(), "address")
        }
        if not by_hash:
            return set()
        with map_mongo_errors():
            found = await self._suppressions.find(
                {"_id": {"$in": list(by_hash)}}
            ).to_list()
        return {by_hash[document["_id"]] for document in found}

    async def pending(self) -> dict[Channel, int]:
        """Return how many deliveries wait, by channel."""
        counts = {}
        for channel in Channel:
            counts[channel] = await self._deliveries.count_documents(
                {"channel": channel.value, "state": DeliveryState.PENDING.value}
            )
        return counts

    async def remove_suppressed_of(self, user_id: UserId, *, limit: int) -> int:
        """Forget some dead addresses of a user; return how many."""
        return await remove_some(self._suppressions, {"user_id": user_id}, limit)

    async def remove_pending_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's waiting deliveries; return how many."""
        waiting = {
            "user_id": user_id,
            "channel": {"$in": [channel.value for channel in Channel]},
            "state": DeliveryState.PENDING.value,
        }
        return await remove_some(self._deliveries, waiting, limit)

    def _append(self, gathered: Sequence[Delivery]) -> UpdateOne:
        """Add to one user's mail of one conversation; the first may begin it."""
        document = self._document(gathered[0])
        where = {
            "channel": document.pop("channel"),
            "target": document.pop("target"),
            "conversation_id": document.pop("conversation_id"),
            "is_open": True,
        }
        first = {"$slice": MESSAGES_PER_MAIL}
        added = {
            "messages": {
                "$each": [_ref(ref) for one in gathered for ref in one.messages],
                **first,
            },
            "causes": {"$each": [one.origin.event_id for one in gathered], **first},
        }
        del document["messages"], document["causes"], document["message_count"]
        counted = {"message_count": len(gathered)}
        return UpdateOne(
            where,
            {"$setOnInsert": document, "$push": added, "$inc": counted},
            upsert=True,
        )

    def _document(self, delivery: Delivery) -> dict[str, Any]:
        origin = delivery.origin
        document: dict[str, Any] = {
            "_id": delivery.delivery_id,
            "channel": delivery.channel.value,
            "target": delivery.target,
            "user_id": delivery.user_id,
            "causes": [origin.event_id],
            "correlation_id": origin.correlation_id,
            "traceparent": origin.traceparent,
            "created_at": delivery.created_at,
            "due_at": delivery.due_at,
            "expires_at": delivery.expires_at,
            "conversation_id": delivery.conversation_id,
            "messages": [_ref(ref) for ref in delivery.messages],
            "message_count": len(delivery.messages) + delivery.more_count,
            "state": DeliveryState.PENDING.value,
            "attempts": delivery.attempts,
            "unknowns": delivery.unknowns,
            "claims": delivery.claims,
        }
        if delivery.notice is not None:
            document["notice"] = self._sealed(delivery.notice, delivery.delivery_id)
        return document

    def _sealed(self, notice: Notice, delivery_id: str) -> dict[str, Any]:
        content = msgspec.json.encode(notice).decode()
        return self._vault.seal(content, "deliveries", delivery_id, "notice")

    def _delivery(self, document: Mapping[str, Any]) -> Delivery:
        delivery_id = document["_id"]
        notice = self._vault.open(
            document.get("notice"), "deliveries", delivery_id, "notice"
        )
        refs = document["messages"]
        return Delivery(
            delivery_id=delivery_id,
            channel=Channel(document["channel"]),
            target=document["target"],
            user_id=document["user_id"],
            origin=Origin(
                document["causes"][0],
                document["correlation_id"],
                document["traceparent"],
            ),
            created_at=document["created_at"],
            due_at=document["due_at"],
            expires_at=document["expires_at"],
            conversation_id=document["conversation_id"],
            messages=tuple(MessageRef(ref["message_id"], ref["seq"]) for ref in refs),
            more_count=document["message_count"] - len(refs),
            notice=msgspec.json.decode(notice, type=Notice) if notice else None,
            attempts=document["attempts"],
            unknowns=document["unknowns"],
            claims=document["claims"],
            claim_id=document.get("claim_id"),
        )


def _claimed(claim_id: str, holder: str, lease: timedelta) -> list[dict[str, Any]]:
    milliseconds = int(lease.total_seconds() * 1000)
    return [
        {
            "$set": {
                "due_at": {"$add": ["$$NOW", milliseconds]},
                "claim_id": {"$literal": claim_id},
                "holder": {"$literal": holder},
                "claims": {"$add": ["$claims", 1]},
            }
        },
        {"$unset": "is_open"},
    ]


def _ref(ref: MessageRef) -> dict[str, Any]:
    return {"message_id": ref.message_id, "seq": ref.seq}


def _held(delivery: Delivery) -> dict[str, Any]:
    return {
        "_id": delivery.delivery_id,
        "claim_id": delivery.claim_id,
        "state": DeliveryState.PENDING.value,
    }


def _collects(delivery: Delivery) -> bool:
    """Tell whether a delivery is a mail that gathers a conversation's messages."""
    return delivery.channel is Channel.EMAIL and delivery.conversation_id is not None
