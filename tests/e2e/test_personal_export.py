"""All that the house holds on a person, part by part through the edge."""

import json

import aiohttp
import pytest

from libs.kernel import new_id

pytestmark = pytest.mark.e2e

SERVICES = ("auth", "chat", "media", "notification", "project")


async def _part(person, service):
    """Return the records of one part, which has to be whole."""
    url = f"{person.edge_url}/api/v1/me/export/{service}"
    headers = {"Authorization": f"Bearer {person.access_token}"}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as got:
        assert got.status == 200, await got.text()
        assert got.content_type == "application/x-ndjson"
        head, *records, end = [json.loads(line) async for line in got.content]
    assert (head["kind"], head["data"]["service"]) == ("export", service)
    assert head["data"]["user_id"] == person.user_id
    assert end == {"kind": "end", "data": {"count": len(records)}}
    return records


def _of(records, kind):
    return [record["data"] for record in records if record["kind"] == kind]


async def test_a_person_takes_everything_along(neighbours):
    """Each service gives its part, whole, and nothing that is somebody else's."""
    grace, ada = neighbours.grace, neighbours.ada
    group = f"conversations/{neighbours.names['group']}/messages"
    for person, text in ((grace, "mine"), (ada, "hers"), (grace, "mine too")):
        await person.call("POST", group, {"client_message_id": new_id(), "text": text})
    project = await grace.call("POST", "projects", {"name": "Apollo"})
    wish = {"file_name": "a.txt", "content_type": "text/plain", "size_bytes": 5}
    upload = await grace.call("POST", "media/uploads", wish)
    device = {"token": "x" * 32, "platform": "web", "name": "browser"}
    await grace.call("POST", "devices", device)
    parts = {service: await _part(grace, service) for service in SERVICES}
    [account] = _of(parts["auth"], "account")
    assert account["email"] == grace.email
    assert len(_of(parts["auth"], "session")) == 1
    said = [message["text"] for message in _of(parts["chat"], "message")]
    assert sorted(said) == ["mine", "mine too"]
    [document] = _of(parts["media"], "document")
    assert (document["document_id"], document["file_name"]) == (
        upload["document_id"],
        "a.txt",
    )
    assert [one["name"] for one in _of(parts["notification"], "device")] == ["browser"]
    assert len(_of(parts["notification"], "preferences")) == 1
    [place] = _of(parts["project"], "project")
    assert (place["project_id"], place["role"]) == (project["project_id"], "owner")
    assert device["token"] not in json.dumps(parts)
