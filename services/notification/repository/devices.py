"""Devices; the token is sealed, a keyed hash keeps it unique."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from libs.chassis.mongo import map_mongo_errors
from libs.kernel import ConflictError, UserId, new_id
from services.notification.domain.devices import (
    DEVICES_PER_USER_MAX,
    Device,
    Platform,
)
from services.notification.repository.guard import Database
from services.notification.repository.removal import remove_some
from services.notification.repository.vault import Vault

Session = Any  # pymongo's AsyncClientSession; opaque to the core


class MongoDeviceRepository:
    """See `DeviceRepository`; collection ``devices``."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._devices = database["devices"]
        self._vault = vault

    async def register(
        self,
        user_id: UserId,
        *,
        token: str,
        platform: Platform,
        name: str,
        now: datetime,
    ) -> Device:
        """Keep a device; a known token is updated, another user's token moves."""
        device = Device(new_id(), user_id, platform, name, token, now, now)
        with map_mongo_errors():
            try:
                return await self._register(device)
            except DuplicateKeyError:  # the same token at the same moment: it is there
                return await self._register(device)

    async def of_user(self, user_id: UserId) -> list[Device]:
        """Return a user's devices, oldest first."""
        return (await self.of_users([user_id])).get(user_id, [])

    async def of_users(
        self, user_ids: Iterable[UserId], session: Session = None
    ) -> dict[UserId, list[Device]]:
        """Return the devices of several users."""
        with map_mongo_errors():
            found = (
                await self._devices.find(
                    {"user_id": {"$in": list(user_ids)}}, session=session
                )
                .sort("_id", ASCENDING)
                .to_list()
            )
        devices: dict[UserId, list[Device]] = {}
        for device in filter(None, map(self._device, found)):
            devices.setdefault(device.user_id, []).append(device)
        return devices

    async def get(self, device_ids: Iterable[str]) -> dict[str, Device]:
        """Return the known ones by id."""
        wanted = list(device_ids)
        if not wanted:
            return {}
        found = await self._devices.find({"_id": {"$in": wanted}}).to_list()
        return {
            device.device_id: device
            for device in filter(None, map(self._device, found))
        }

    async def remove(
        self,
        device_id: str,
        user_id: UserId | None = None,
        session: Session = None,
    ) -> bool:
        """Remove a device, of a user if one is given; False where there is none."""
        query: dict[str, Any] = {"_id": device_id}
        if user_id is not None:
            query["user_id"] = user_id
        if session is not None:
            result = await self._devices.delete_one(query, session=session)
        else:
            with map_mongo_errors():
                result = await self._devices.delete_one(query)
        return result.deleted_count == 1

    async def remove_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's devices; return how many."""
        return await remove_some(self._devices, {"user_id": user_id}, limit)

    async def _register(self, device: Device) -> Device:
        known = await self._devices.find_one(
            {"token_hash": {"$in": self._vault.blinds(device.token, "device-token")}}
        )
        if known is not None and known["user_id"] == device.user_id:
            return await self._update(known, device)
        if await self._devices.count_documents({"user_id": device.user_id}) >= (
            DEVICES_PER_USER_MAX
        ):
            raise ConflictError(
                "too_many_devices",
                "The account has too many devices.",
                maximum=DEVICES_PER_USER_MAX,
            )
        if known is not None:
            await self._devices.delete_one({"_id": known["_id"]})
        await self._devices.insert_one(self._document(device))
        return device

    async def _update(self, known: Mapping[str, Any], device: Device) -> Device:
        updated = Device(
            device_id=known["_id"],
            user_id=device.user_id,
            platform=device.platform,
            name=device.name,
            token=device.token,
            created_at=known["created_at"],
            last_seen_at=device.last_seen_at,
        )
        await self._devices.replace_one(
            {"_id": updated.device_id}, self._document(updated)
        )
        return updated

    def _document(self, device: Device) -> dict[str, Any]:
        return {
            "_id": device.device_id,
            "user_id": device.user_id,
            "platform": device.platform.value,
            "name": device.name,
            "token": self._vault.seal(
                device.token, "devices", device.device_id, "token"
            ),
            "token_hash": self._vault.blind(device.token, "device-token"),
            "created_at": device.created_at,
            "last_seen_at": device.last_seen_at,
        }

    def _device(self, document: Mapping[str, Any]) -> Device | None:
        """Read a device; None where its token cannot be opened any more."""
        device_id = document["_id"]
        token = self._vault.open(document["token"], "devices", device_id, "token")
        if token is None:
            return None
        return Device(
            device_id=device_id,
            user_id=document["user_id"],
            platform=Platform(document["platform"]),
            name=document["name"],
            token=token,
            created_at=document["created_at"],
            last_seen_at=document["last_seen_at"],
        )
