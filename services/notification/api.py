"""HTTP in: the in-app list, devices, preferences."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Query, Request, Response, status

from libs.chassis.exports import (
    ExportResponse,
    Record,
    export_response,
)
from libs.chassis.pagination import Limit, Page, cursor_id, encode_cursor
from libs.chassis.security import CurrentPrincipal, FreshPrincipal
from libs.chassis.whole_lists import WHOLE_LIST_PAGE, paged
from libs.kernel import Clock, NotFoundError, UserId
from services.notification.domain.devices import Platform
from services.notification.ports import DeviceRepository, PeopleRepository
from services.notification.schemas import (
    DeviceRequest,
    DeviceResponse,
    DevicesResponse,
    NotificationResponse,
    PreferencesBody,
    ReadUntilRequest,
    ReadUntilResponse,
)
from services.notification.service.lists import Entry, InAppLists


class NotificationState(TypedDict):
    """What the lifespan yields; `request.state` of every route."""

    lists: InAppLists
    devices: DeviceRepository
    people: PeopleRepository
    clock: Clock


def _lists(request: Request) -> InAppLists:
    lists: InAppLists = request.state.lists
    return lists


def _devices(request: Request) -> DeviceRepository:
    devices: DeviceRepository = request.state.devices
    return devices


def _people(request: Request) -> PeopleRepository:
    people: PeopleRepository = request.state.people
    return people


Lists = Annotated[InAppLists, Depends(_lists)]
Devices = Annotated[DeviceRepository, Depends(_devices)]
People = Annotated[PeopleRepository, Depends(_people)]
Cursor = Annotated[str | None, Query(max_length=512)]
IsUnread = Annotated[bool | None, Query()]

router = APIRouter(prefix="/api/v1", tags=["notifications"])


@router.get("/notifications")
async def list_notifications(
    principal: CurrentPrincipal,
    lists: Lists,
    cursor: Cursor = None,
    limit: Limit = 50,
    is_unread: IsUnread = None,
) -> Page[NotificationResponse]:
    """List the caller's notifications, newest first."""
    entries = await lists.page(
        UserId(principal.user_id),
        before_id=cursor_id(cursor, "before"),
        limit=limit + 1,
        is_unread=is_unread,
    )
    shown = entries[:limit]
    has_more = len(entries) > limit
    last_id = shown[-1].notification.notification_id if has_more else ""
    return Page[NotificationResponse](
        items=[NotificationResponse.of(entry) for entry in shown],
        next_cursor=encode_cursor({"before": last_id}) if has_more else None,
    )


@router.post("/notifications/read")
async def read_until(
    body: ReadUntilRequest, principal: CurrentPrincipal, lists: Lists
) -> ReadUntilResponse:
    """Mark all entries up to and with one as read.

    Entries that come meanwhile have greater ids and stay unread.
    """
    count = await lists.mark_read_until(UserId(principal.user_id), body.until_id)
    return ReadUntilResponse(read_count=count)


@router.post(
    "/notifications/{notification_id}/read", status_code=status.HTTP_204_NO_CONTENT
)
async def read_one(
    notification_id: str, principal: CurrentPrincipal, lists: Lists
) -> Response:
    """Mark one entry as read."""
    await lists.mark_read(UserId(principal.user_id), notification_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/devices", status_code=status.HTTP_201_CREATED)
async def register_device(
    body: DeviceRequest, principal: CurrentPrincipal, devices: Devices, request: Request
) -> DeviceResponse:
    """Register a device; idempotent by token, which moves to the caller."""
    clock: Clock = request.state.clock
    device = await devices.register(
        UserId(principal.user_id),
        token=body.token,
        platform=Platform(body.platform),
        name=body.name,
        now=clock.now(),
    )
    return DeviceResponse.of(device)


@router.get("/devices")
async def list_devices(
    principal: CurrentPrincipal, devices: Devices
) -> DevicesResponse:
    """List the caller's devices."""
    owned = await devices.of_user(UserId(principal.user_id))
    return DevicesResponse(items=[DeviceResponse.of(device) for device in owned])


@router.delete("/devices/{device_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_device(
    device_id: str, principal: CurrentPrincipal, devices: Devices
) -> Response:
    """Remove a device of the caller; it gets no push any more."""
    if not await devices.remove(device_id, UserId(principal.user_id)):
        raise NotFoundError("device_not_found", "No such device.")
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/notification-preferences")
async def read_preferences(
    principal: CurrentPrincipal, people: People
) -> PreferencesBody:
    """Return what the caller chose, or the defaults."""
    user_id = UserId(principal.user_id)
    person = (await people.get([user_id])).get(user_id)
    if person is None:
        return PreferencesBody()
    return PreferencesBody.of(person.preferences)


@router.put("/notification-preferences")
async def replace_preferences(
    body: PreferencesBody, principal: CurrentPrincipal, people: People
) -> PreferencesBody:
    """Replace what the caller chose."""
    preferences = body.preferences()
    await people.put_preferences(UserId(principal.user_id), preferences)
    return PreferencesBody.of(preferences)


@router.get("/me/export/notification", response_class=ExportResponse)
async def export_notifications(
    principal: FreshPrincipal,
    lists: Lists,
    devices: Devices,
    people: People,
) -> ExportResponse:
    """Give the caller's preferences, devices and entries, as JSON lines."""
    user_id = UserId(principal.user_id)
    records = _own(user_id, lists, devices, people)
    return export_response("notification", user_id, records)


async def _own(
    user_id: UserId,
    lists: InAppLists,
    devices: DeviceRepository,
    people: PeopleRepository,
) -> AsyncIterator[Record]:
    async def page(before: str | None) -> list[Entry]:
        return await lists.page(
            user_id, before_id=before, limit=WHOLE_LIST_PAGE, is_unread=None
        )

    person = (await people.get([user_id])).get(user_id)
    chosen = PreferencesBody.of(person.preferences) if person else PreferencesBody()
    yield "preferences", chosen.model_dump(mode="json")
    for device in await devices.of_user(user_id):
        yield "device", DeviceResponse.of(device).model_dump(mode="json")
    async for entry in paged(page, lambda one: one.notification.notification_id):
        yield "notification", NotificationResponse.of(entry).model_dump(mode="json")
