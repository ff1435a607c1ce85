"""A picture that somebody shows of themselves, from the upload to others' screens."""

import asyncio

import pytest

from scripts.demo.client import ApiError
from scripts.demo.picture import draw_picture

pytestmark = pytest.mark.e2e


async def _answer(person, method, path, body=None):
    """Return what a call answers, or the code of its refusal."""
    try:
        return await person.call(method, path, body)
    except ApiError as error:
        return error.code


async def _until(person, method, path, body, is_there):
    """Repeat a call until its answer is as wanted; return it."""
    async with asyncio.timeout(15):
        while not is_there(answer := await _answer(person, method, path, body)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer


async def test_an_avatar_is_seen_by_everybody_until_its_picture_is_deleted(neighbours):
    """Refused until it is checked, shown to all, and gone with its file."""
    ada, grace = neighbours.ada, neighbours.grace
    picture = draw_picture(200, 200)
    wish = {"file_name": "me.png", "content_type": "image/png"}
    upload = await grace.call(
        "POST", "media/uploads", {**wish, "size_bytes": len(picture)}
    )
    document_id = upload["document_id"]
    choice = {"document_id": document_id}
    assert await _answer(grace, "PUT", "me/avatar", choice) == "avatar_unknown"
    await grace.put_bytes(upload["upload"], picture)
    await grace.call("POST", f"media/uploads/{document_id}/complete")
    await _until(
        grace, "PUT", "me/avatar", choice, lambda answer: answer != "avatar_unknown"
    )
    assert await _answer(ada, "PUT", "me/avatar", choice) == "avatar_unknown"
    profile = f"users/{grace.user_id}"
    assert (await ada.call("GET", profile))["avatar_document_id"] == document_id
    thumbnail = f"media/documents/{document_id}/renditions/thumbnail"
    link = await _until(
        ada, "GET", thumbnail, None, lambda answer: isinstance(answer, dict)
    )
    assert (await ada.fetch(link["url"])).startswith(b"RIFF")
    content = f"media/documents/{document_id}/content"
    assert await _answer(ada, "GET", content) == "document_not_found"
    await grace.call("DELETE", f"media/documents/{document_id}")
    await _until(
        ada, "GET", profile, None, lambda answer: answer["avatar_document_id"] is None
    )
    assert await _answer(ada, "GET", thumbnail) == "document_not_found"
