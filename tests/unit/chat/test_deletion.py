"""Deleting a conversation, and the job that follows."""

from datetime import timedelta

import pytest

from libs.events.catalog import ConversationDeleted
from libs.kernel import UnavailableError
from services.chat.domain.conversation import ConversationKind, Role
from services.chat.domain.errors import (
    ConversationNotFoundError,
    NotPermittedError,
)
from services.chat.domain.invite import InviteTerms
from services.chat.service.openings import Opening
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def test_a_deleted_conversation_is_as_if_missing(chat) -> None:
    """At once and for everybody; its revision and its id stay."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group))
    await chat.deletion.delete(ADA, group)
    (event,) = chat.bus.published_of(ConversationDeleted)
    assert (event.revision, event.deleted_by) == (3, ADA)
    for user_id in (ADA, GRACE, MALLORY):
        with pytest.raises(ConversationNotFoundError):
            await chat.conversations.get(user_id, group)
    with pytest.raises(ConversationNotFoundError):
        await chat.deletion.delete(ADA, group)
    assert await chat.store.revisions([group]) == {group: 3}
    with pytest.raises(ConversationNotFoundError):
        await chat.messages.send(draft(group))


async def test_sends_in_flight_fail_cleanly(chat) -> None:
    """What the writer remembers meets the compare-and-set, and is looked up anew."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group, GRACE))
    chat.deletion._writer = type("Deaf", (), {"forget": lambda *_: None})()
    await chat.deletion.delete(ADA, group)
    with pytest.raises(ConversationNotFoundError):
        await chat.messages.send(draft(group, GRACE))


async def test_who_may_delete(chat) -> None:
    """Owners; not what two people said to each other."""
    group = await chat.group(GRACE)
    await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    with pytest.raises(NotPermittedError):
        await chat.deletion.delete(GRACE, group)
    with pytest.raises(ConversationNotFoundError):
        await chat.deletion.delete(MALLORY, group)
    pair, _ = await chat.openings.open(
        ADA, Opening(kind=ConversationKind.DIRECT, title=None, member_ids=(GRACE,))
    )
    with pytest.raises(NotPermittedError):
        await chat.deletion.delete(ADA, pair.conversation.conversation_id)


async def test_the_job_clears_what_is_left(chat) -> None:
    """Memberships end, documents go; others' stay; then there is no job."""
    group, other = await chat.group(GRACE), await chat.group(GRACE)
    for place in (group, other):
        await chat.messages.send(draft(place))
        terms = InviteTerms(
            role=Role.MEMBER, lifetime=timedelta(hours=1), uses_max=None
        )
        await chat.invites.create(ADA, place, terms)
        await chat.bans.ban(ADA, place, MALLORY)
    await chat.deletion.delete(ADA, group)
    assert await chat.jobs.run_one()
    assert not await chat.jobs.run_one()
    assert not chat.jobs_store.jobs
    left = {message.conversation_id for message in chat.store.messages.values()}
    left |= {invite.conversation_id for invite in chat.invites_store.invites.values()}
    left |= {ban.conversation_id for ban in chat.bans_store.bans.values()}
    assert left == {other}
    assert not await chat.store.members_among(group, [ADA, GRACE])
    assert await chat.store.members_among(other, [ADA, GRACE]) == {ADA, GRACE}


async def test_a_job_goes_on_after_its_process_died(chat) -> None:
    """Another process takes it over when the lease is out, not before."""
    group = await chat.group(GRACE)
    await chat.messages.send(draft(group))
    await chat.deletion.delete(ADA, group)
    purge = chat.eraser.purge_conversation

    async def dies(*_args, **_more):
        raise UnavailableError("database_unavailable", "Away.")

    chat.eraser.purge_conversation = dies
    with pytest.raises(UnavailableError):
        await chat.jobs.run_one()
    chat.eraser.purge_conversation = purge
    assert not await chat.jobs.run_one()
    chat.clock.advance(timedelta(seconds=61))
    assert await chat.jobs.run_one()
    assert not chat.store.messages
