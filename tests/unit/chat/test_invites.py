"""Links and public channels over memory adapters."""

from datetime import timedelta
from hashlib import sha256

import pytest

from libs.events.catalog import ConversationMemberAdded, UserSuspended
from libs.kernel import ProjectId, RateLimitedError, new_id
from libs.kernel.rates import Decision, Limit
from services.chat.domain.amendment import Amendment
from services.chat.domain.conversation import (
    Conversation,
    ConversationKind,
    Role,
    general_id,
    joined,
)
from services.chat.domain.errors import (
    ConversationIsArchivedError,
    ConversationNotFoundError,
    DraftInvalidError,
    InviteNotFoundError,
    NotPermittedError,
    ProjectNotFoundError,
)
from services.chat.domain.invite import InviteTerms
from services.chat.domain.rates import Rated
from services.chat.service.directory import Directory
from services.chat.service.openings import Opening
from services.chat.service.rates import RatedWriter, UserLimits
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft

DAY = timedelta(days=1)


@pytest.fixture
def chat():
    """A chat; nothing is sent here."""
    return Chat()


def terms(**more) -> InviteTerms:
    """Return what a link allows."""
    return InviteTerms(**{"role": Role.MEMBER, "lifetime": DAY, "uses_max": 1} | more)


async def test_a_link_brings_somebody_in_once(chat) -> None:
    """With its role; who is in already takes no use; the token is not kept."""
    group = await chat.group(GRACE)
    invite, token = await chat.invites.create(ADA, group, terms(role=Role.GUEST))
    assert len(token) == 43
    assert invite.token_hash == sha256(token.encode()).digest()
    again = await chat.invites.accept(GRACE, token)
    assert again.member.role is Role.MEMBER
    came = await chat.invites.accept(MALLORY, token)
    assert (came.member.role, came.member.revision) == (Role.GUEST, 2)
    (event,) = chat.bus.published_of(ConversationMemberAdded)
    assert (event.user_id, event.added_by) == (MALLORY, ADA)
    await chat.members.remove(MALLORY, group, MALLORY)
    with pytest.raises(InviteNotFoundError):
        await chat.invites.accept(MALLORY, token)
    (shown,), following = await chat.invites.page(ADA, group, after="", limit=5)
    assert (shown.uses, following) == (1, None)


WHYS = ["expired", "revoked", "foreign", "banned", "left", "demoted"]


async def test_sr_6_link_of_the_suspended_opens_nothing(chat) -> None:
    """SR-6: as if it were not there, and as before once they are back."""
    group = await chat.group(GRACE)
    await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    _, token = await chat.invites.create(GRACE, group, terms())
    for revision, is_suspended in ((7, True), (8, False)):
        news = UserSuspended(
            user_id=GRACE, revision=revision, is_suspended=is_suspended
        )
        await Directory(chat.users).apply(news, session=None)
        if is_suspended:
            with pytest.raises(InviteNotFoundError):
                await chat.invites.accept(MALLORY, token)
    assert (await chat.invites.accept(MALLORY, token)).member.user_id == MALLORY


@pytest.mark.parametrize("why", WHYS)
async def test_a_worthless_link_looks_like_none(chat, why) -> None:
    """Whatever made it so: 404 with the same body."""
    group = await chat.group(GRACE)
    await chat.roles.change(ADA, group, GRACE, Role.ADMIN)
    invite, token = await chat.invites.create(GRACE, group, terms())
    match why:
        case "expired":
            chat.clock.advance(DAY)
        case "revoked":
            await chat.invites.revoke(ADA, group, invite.invite_id)
        case "foreign":
            token = token[::-1]
        case "banned":
            await chat.bans.ban(ADA, group, MALLORY)
        case "left":
            await chat.members.remove(ADA, group, GRACE)
        case "demoted":
            await chat.roles.change(ADA, group, GRACE, Role.MEMBER)
    with pytest.raises(InviteNotFoundError) as caught:
        await chat.invites.accept(MALLORY, token)
    assert str(caught.value) == str(InviteNotFoundError())
    assert not await chat.store.members_among(group, [MALLORY])


async def test_who_may_make_and_revoke_links(chat) -> None:
    """Admins and owners, for roles up to admin, in terms that the limits allow."""
    group, other = await chat.group(GRACE), await chat.group()
    with pytest.raises(NotPermittedError):
        await chat.invites.create(GRACE, group, terms())
    with pytest.raises(ConversationNotFoundError):
        await chat.invites.create(MALLORY, group, terms())
    for wrong in (
        terms(role=Role.OWNER),
        terms(lifetime=timedelta(seconds=59)),
        terms(lifetime=timedelta(days=31)),
        terms(uses_max=0),
        terms(uses_max=1_001),
    ):
        with pytest.raises(DraftInvalidError):
            await chat.invites.create(ADA, group, wrong)
    invite, _ = await chat.invites.create(ADA, group, terms())
    for place in (other, group):
        is_here = place == group
        if not is_here:
            with pytest.raises(InviteNotFoundError):
                await chat.invites.revoke(ADA, place, invite.invite_id)
    with pytest.raises(NotPermittedError):
        await chat.invites.revoke(GRACE, group, invite.invite_id)
    with pytest.raises(NotPermittedError):
        await chat.invites.page(GRACE, group, after="", limit=1)


async def test_so_many_links_and_tries(chat) -> None:
    """A conversation has so many links; a user tries so many."""
    group = await chat.group()
    for _ in range(100):
        await chat.invites.create(ADA, group, terms())
    with pytest.raises(DraftInvalidError):
        await chat.invites.create(ADA, group, terms())
    page, following = await chat.invites.page(ADA, group, after="", limit=60)
    rest, _ = await chat.invites.page(ADA, group, after=following, limit=60)
    assert (len(page), len(rest)) == (60, 40)


async def test_the_shared_count_decides_and_the_local_one_stands_in() -> None:
    """RL-4: a user is counted by this process while the shared count is away."""
    chat = Chat()

    class Full:
        async def charge(self, _charges):
            return Decision(2.5, "x")

    limits = dict.fromkeys(Rated, Limit(0.001, 2))
    rates = UserLimits(Full(), chat.clock, limits=limits, messages=Limit(1, 1))
    with pytest.raises(RateLimitedError) as caught:
        await rates.require(Rated.ACCEPT, ADA)
    assert caught.value.retry_after_seconds == 2.5
    rates = UserLimits(
        chat.rates._shared, chat.clock, limits=limits, messages=Limit(1, 1)
    )
    for _ in range(2):
        await rates.require(Rated.ACCEPT, ADA)
    with pytest.raises(RateLimitedError):
        await rates.require(Rated.ACCEPT, ADA)
    await rates.require(Rated.ACCEPT, GRACE)
    rates.require_message(ADA)
    with pytest.raises(RateLimitedError):
        rates.require_message(ADA)


async def test_a_user_sends_so_many_messages() -> None:
    """Over all sockets and HTTP; the others are not slowed by it."""
    chat = Chat()
    rates = UserLimits(chat.rates._shared, chat.clock, limits={}, messages=Limit(1, 2))
    group = await chat.group(GRACE)
    writer = RatedWriter(chat.writer, rates)
    async with chat.writer.running():
        for _ in range(2):
            await writer.submit(draft(group, ADA))
        with pytest.raises(RateLimitedError):
            await writer.submit(draft(group, ADA))
        assert (await writer.submit(draft(group, GRACE))).seq == 3


async def public(chat, *, project_id=None, **more):
    """Store a public channel of Ada's; return its id."""
    opening = Opening(
        kind=ConversationKind.CHANNEL,
        title="Open",
        member_ids=(),
        project_id=project_id,
        amendment=Amendment(is_public=True, **more),
    )
    opened, _ = await chat.openings.open(ADA, opening)
    return opened.conversation.conversation_id


async def project(chat, *members) -> ProjectId:
    """Store a project's channel general."""
    project_id = ProjectId(new_id())
    general = Conversation(
        conversation_id=general_id(project_id),
        kind=ConversationKind.CHANNEL,
        title="general",
        project_id=project_id,
        created_by=None,
        created_at=chat.clock.now(),
        is_managed=True,
    )
    rows = [joined(general, one, Role.MEMBER, chat.clock.now()) for one in members]
    await chat.store.insert(general, rows, session=None)
    return project_id


async def listed(chat, user_id, project_id=None, *, is_guest=False):
    """Return the ids of the channels that a user is shown, with membership."""
    page, _ = await chat.public_channels.page(
        user_id, project_id, is_guest=is_guest, after="", limit=50
    )
    return {one.conversation.conversation_id: one.is_member for one in page}


async def test_a_public_channel_is_listed_and_open_to_all(chat) -> None:
    """But not to the installation's guests; joining twice changes nothing."""
    channel = await public(chat)
    await chat.group()
    assert await listed(chat, GRACE) == {channel: False}
    assert await listed(chat, GRACE, is_guest=True) == {}
    with pytest.raises(ConversationNotFoundError):
        await chat.public_channels.join(GRACE, channel, is_guest=True)
    for _ in range(2):
        membership = await chat.public_channels.join(GRACE, channel, is_guest=False)
        assert membership.member.role is Role.MEMBER
    assert await listed(chat, GRACE) == {channel: True}
    assert len(chat.bus.published_of(ConversationMemberAdded)) == 1


async def test_a_projects_channel_is_open_to_its_collaborators(chat) -> None:
    """To the others it is as if it were not there."""
    project_id = await project(chat, ADA, GRACE)
    channel = await public(chat, project_id=project_id)
    assert await listed(chat, GRACE, project_id) == {channel: False}
    assert await listed(chat, GRACE) == {}
    with pytest.raises(ProjectNotFoundError):
        await listed(chat, MALLORY, project_id)
    for stranger in (MALLORY,):
        with pytest.raises(ConversationNotFoundError):
            await chat.public_channels.join(stranger, channel, is_guest=False)
    await chat.public_channels.join(GRACE, channel, is_guest=True)


async def test_what_nobody_can_join(chat) -> None:
    """Private ones, missing ones, those one is banned from; archived ones tell."""
    channel, group = await public(chat), await chat.group()
    await chat.bans.ban(ADA, channel, MALLORY)
    for place, user_id in ((group, GRACE), (new_id(), GRACE), (channel, MALLORY)):
        with pytest.raises(ConversationNotFoundError):
            await chat.public_channels.join(user_id, place, is_guest=False)
    assert await listed(chat, MALLORY) == {}
    await chat.conversations.change(ADA, channel, Amendment(is_archived=True))
    assert await listed(chat, GRACE) == {}
    with pytest.raises(ConversationIsArchivedError):
        await chat.public_channels.join(GRACE, channel, is_guest=False)
    with pytest.raises(ConversationNotFoundError):
        await chat.public_channels.join(MALLORY, channel, is_guest=False)
