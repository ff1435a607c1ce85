"""AZ-2, AZ-3, AZ-9: documents of others, by every route, alone and by cursor."""

import pytest

from libs.chassis.security import Principal
from libs.kernel import new_id
from services.media.api import router
from services.media.domain import MembershipChange, conversation_scope
from tests.unit.media.test_api import API, client, uploaded

__all__ = ["client"]

OPERATIONS = [
    ("GET", "/documents/{document_id}"),
    ("GET", "/documents/{document_id}/content"),
    ("GET", "/documents/{document_id}/renditions/{name}"),
    ("DELETE", "/documents/{document_id}"),
    ("POST", "/uploads/{document_id}/complete"),
]


@pytest.fixture
def people(client):
    """Two who have nothing to do with each other."""
    return [client(Principal(new_id(), new_id())) for _ in "ab"]


def test_az_2_every_operation_on_a_document_is_here():
    """AZ-2: a route without a row is one whose id nobody swapped."""
    served = {
        (method, route.path.removeprefix(API))
        for route in router.routes
        for method in route.methods
        if "{document_id}" in route.path
    }
    assert set(OPERATIONS) == served


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_az_2_a_foreign_document_is_a_missing_one(media, people, method, path):
    """AZ-2: no description, no link, no end, no completion; and no key in an answer."""
    owner, other = people
    document_id = await uploaded(media, owner)
    stored = await media.repository.get(document_id)
    answers = []
    for one in (document_id, new_id()):
        filled = path.format(document_id=one, name="thumbnail")
        status, told = await other.ask(method, filled)
        answers.append((status, told | {"trace_id": ""}))
    assert answers[0] == answers[1]
    assert answers[0][1]["code"] == "document_not_found"
    assert stored.storage_key not in str(answers)
    assert await media.repository.get(document_id) == stored


async def test_az_3_a_document_is_listed_in_its_own_place_alone(media, client):
    """AZ-3, AZ-9: not in another conversation of the same people, nor by its cursor."""
    user_id = new_id()
    ada = client(Principal(user_id, new_id()))
    here, there = new_id(), new_id()
    for place in (here, there):
        change = MembershipChange(conversation_scope(place), user_id, 1, "member")
        await media.access.apply([change], [])
    for _ in range(2):
        await uploaded(media, ada, conversation_id=here)
    _, page = await ada.ask("GET", f"/documents?conversation_id={here}&limit=1")
    cursor = page["next_cursor"]
    assert cursor
    for query in (f"conversation_id={there}", ""):
        for going_on in ("", f"&cursor={cursor}"):
            status, told = await ada.ask("GET", f"/documents?{query}{going_on}")
            assert (status, told["items"]) == (200, [])
    stranger = client(Principal(new_id(), new_id()))
    answers = [
        await stranger.ask("GET", f"/documents?conversation_id={one}&cursor={cursor}")
        for one in (here, new_id())
    ]
    codes = [(status, told["code"]) for status, told in answers]
    assert codes == [(404, "scope_not_found")] * 2


async def test_az_5_a_document_is_for_who_may_read_it_now(media, client):
    """AZ-5: who was taken out of the place gets no link any more, owner or not."""
    keeper, user_id, place = new_id(), new_id(), new_id()
    scope = conversation_scope(place)
    changes = [MembershipChange(scope, one, 1, "member") for one in (keeper, user_id)]
    await media.access.apply(changes, [])
    owner, ada = (client(Principal(one, new_id())) for one in (keeper, user_id))
    document_id = await uploaded(media, owner, conversation_id=place)
    path = f"/documents/{document_id}/content"
    assert (await ada.ask("GET", path))[0] == 200
    gone = [MembershipChange(scope, one, 2, None) for one in (keeper, user_id)]
    await media.access.apply(gone, [])
    for person in (owner, ada):
        status, told = await person.ask("GET", path)
        assert (status, told["code"]) == (404, "document_not_found")
