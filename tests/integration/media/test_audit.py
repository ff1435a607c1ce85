"""AU-2 on a media process: an act and its record are there together, or neither."""

import pytest

from tests.support.audit import audit_records, refusing_audit

pytestmark = pytest.mark.integration
MARKER = "severance-letter"


async def test_au_2_an_act_and_its_record_are_one(someone, stack) -> None:
    """AU-2: an upload and its end; what cannot be recorded is refused and undone."""
    ada = someone()
    name = f"{MARKER}.txt"
    document_id = await ada.upload(b"hello", name, "text/plain")
    assert (await ada.settled(document_id))["status"] == "ready"
    async with refusing_audit(stack, "media"):
        refused = await ada.ask("DELETE", f"documents/{document_id}")
        assert (refused.status, refused.body["code"]) == (503, "audit_unavailable")
    assert (await ada.ask("GET", f"documents/{document_id}")).status == 200
    assert (await ada.ask("DELETE", f"documents/{document_id}")).status == 204
    records = await audit_records(stack, "media", target_id=document_id)
    assert [(record["action"], record["actor_id"]) for record in records] == [
        ("document.uploaded", ada.user_id),
        ("document.accepted", "media"),
        ("document.deleted", ada.user_id),
    ]
    assert records[1]["on_behalf_of"] == ada.user_id
    assert [bool(record["session_hash"]) for record in records] == [True, False, True]
    assert MARKER not in repr(records)
