"""What chat records of each act, and what it never does."""

from datetime import timedelta

import pytest

from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.invite import InviteTerms
from services.chat.service.messages import Edit
from services.chat.service.openings import Opening
from tests.unit.chat.matrix_app import matrix_app
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft

MARKER = "Operation Overlord"
TERMS = InviteTerms(role=Role.MEMBER, lifetime=timedelta(days=1), uses_max=1)


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


def opening(kind=ConversationKind.GROUP, **more) -> Opening:
    """Return what opens a conversation with Grace."""
    return Opening(kind=kind, member_ids=(GRACE,), **more)


def acts(chat: Chat) -> list[tuple[str, str, str]]:
    """Return action, actor and target of every record."""
    return [(e.action, e.actor_id, e.target_id) for e in chat.audit.entries]


async def test_au_2_every_act_on_members_is_recorded(chat) -> None:
    """AU-2: additions, roles, ownership, bans, invites, removals: who, and whom."""
    membership, _ = await chat.openings.open(ADA, opening(title=MARKER))
    place = membership.conversation.conversation_id
    await chat.members.add(ADA, place, MALLORY, Role.GUEST)
    await chat.roles.change(ADA, place, MALLORY, Role.ADMIN)
    await chat.members.remove(ADA, place, MALLORY)
    invite, token = await chat.invites.create(ADA, place, TERMS)
    await chat.invites.accept(MALLORY, token)
    await chat.bans.ban(ADA, place, MALLORY)
    await chat.bans.lift(ADA, place, MALLORY)
    second, _ = await chat.invites.create(ADA, place, TERMS)
    await chat.invites.revoke(ADA, place, second.invite_id)
    await chat.roles.transfer(ADA, place, GRACE)
    await chat.members.remove(ADA, place, ADA)
    await chat.deletion.delete(GRACE, place)
    assert acts(chat) == [
        ("conversation.created", ADA, place),
        ("conversation.member_added", ADA, MALLORY),
        ("conversation.role_changed", ADA, MALLORY),
        ("conversation.member_removed", ADA, MALLORY),
        ("conversation.invite_made", ADA, invite.invite_id),
        ("conversation.member_added", MALLORY, MALLORY),
        ("conversation.invite_used", MALLORY, invite.invite_id),
        ("conversation.user_banned", ADA, MALLORY),
        ("conversation.member_removed", ADA, MALLORY),
        ("conversation.ban_lifted", ADA, MALLORY),
        ("conversation.invite_made", ADA, second.invite_id),
        ("conversation.invite_revoked", ADA, second.invite_id),
        ("conversation.role_changed", ADA, GRACE),
        ("conversation.role_changed", ADA, ADA),
        ("conversation.owner_changed", ADA, GRACE),
        ("conversation.member_removed", ADA, ADA),
        ("conversation.deleted", GRACE, place),
    ]
    assert all(e.details["conversation_id"] == place for e in chat.audit.entries)
    told = repr(chat.audit.entries)
    assert MARKER not in told
    assert token not in told


async def test_au_2_what_is_changed_is_named_and_not_told(chat) -> None:
    """AU-2: the fields of a change, without what they say."""
    place = await chat.group(GRACE)
    change = Amendment(title=MARKER, topic=MARKER, slow_mode_seconds=5)
    await chat.conversations.change(ADA, place, change)
    await chat.conversations.change(ADA, place, change)
    await chat.conversations.change(ADA, place, Amendment(is_archived=True))
    await chat.conversations.change(ADA, place, Amendment(is_archived=False))
    assert acts(chat) == [
        ("conversation.updated", ADA, place),
        ("conversation.archived", ADA, place),
        ("conversation.restored", ADA, place),
    ]
    changed = chat.audit.entries[0].details["changed"].split()
    assert sorted(changed) == ["slow_mode_seconds", "title", "topic"]
    assert MARKER not in repr(chat.audit.entries)


async def test_au_2_what_is_done_to_anothers_message_is_recorded(chat) -> None:
    """AU-2: a moderator's deletions and readings; one's own are no matter."""
    place = await chat.group(GRACE)
    said = await chat.messages.send(draft(place, GRACE, text=MARKER))
    own = await chat.messages.send(draft(place, ADA))
    await chat.messages.edit(GRACE, place, said.message_id, Edit(text="Never mind"))
    for reader in (GRACE, ADA):
        await chat.messages.versions(
            reader, place, said.message_id, before=None, limit=5
        )
    await chat.messages.delete(ADA, place, own.message_id)
    await chat.messages.delete(ADA, place, said.message_id)
    await chat.messages.delete(ADA, place, said.message_id)
    assert acts(chat) == [
        ("message.versions_read", ADA, said.message_id),
        ("message.deleted", ADA, said.message_id),
    ]
    assert chat.audit.entries[1].details["sender_id"] == GRACE
    assert MARKER not in repr(chat.audit.entries)


async def test_two_people_who_talk_are_in_no_record(chat) -> None:
    """A direct conversation is no act on anybody."""
    await chat.openings.open(ADA, opening(ConversationKind.DIRECT, title=None))
    assert chat.audit.entries == []


async def test_what_a_project_decides_is_chats_own_act(chat) -> None:
    """Nobody stands in a record for what they did not do here."""
    place = await chat.group(GRACE)
    await chat.deletion.delete_with_project(place)
    assert acts(chat) == [("conversation.deleted", "chat", place)]


async def test_refusals_are_recorded_by_both_doors(routes) -> None:
    """Over HTTP and over the socket: way in, ids and code, and no text."""
    async with matrix_app(routes) as app:
        place = await app.chat.group(GRACE)
        said = await app.chat.messages.send(draft(place, ADA, text=MARKER))
        path = f"/api/v1/conversations/{place}/messages/{said.message_id}"
        answer = await app.http(GRACE, "PATCH", path, {"text": MARKER})
        assert answer.status == 403
        edit = {"conversation_id": place, "message_id": said.message_id}
        await app.socket(GRACE, "message.edit", edit | {"text": MARKER})
        refused = app.chat.audit.of("access.refused")
    assert [(e.actor_id, e.target_id, e.reason) for e in refused] == [
        (GRACE, place, "not_permitted")
    ] * 2
    assert [entry.details["way_in"] for entry in refused] == [
        "PATCH /api/v1/conversations/{conversation_id}/messages/{message_id}",
        "socket message.edit",
    ]
    assert all(e.details["message_id"] == said.message_id for e in refused)
    assert MARKER not in repr(refused)
