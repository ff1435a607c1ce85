"""Reactions: any order of them ends in the same state, and nothing grows for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.catalog import MessageReacted
from services.chat.domain.conversation import Role
from services.chat.domain.errors import (
    ConversationNotFoundError,
    DraftInvalidError,
    MessageIsDeletedError,
    MessageNotFoundError,
)
from services.chat.domain.reactions import (
    REACTIONS_MAX,
    REACTIONS_OF_USER_MAX,
    USERS_SHOWN_MAX,
    Reaction,
    checked_emoji,
    reaction_of,
    with_reaction,
    without_reaction,
)
from services.chat.service.wire import message_wire
from tests.unit.chat.support import ADA, GRACE, MALLORY, Chat, draft, user

EMOJI = ("👍", "❤️", "🎉")
STEPS = st.lists(
    st.tuples(st.sampled_from(EMOJI), st.sampled_from([ADA, GRACE]), st.booleans()),
    max_size=30,
)


@pytest.fixture
async def chat():
    """A chat whose writer runs."""
    chat = Chat()
    async with chat.writer.running():
        yield chat


async def sent(chat, group):
    """Return a message of Ada's."""
    return await chat.messages.send(draft(group))


def applied(steps, reactions=()):
    """Return what some steps leave."""
    for emoji, user_id, is_added in steps:
        change = with_reaction if is_added else without_reaction
        reactions = change(reactions, user_id, emoji)
    return reactions


@given(STEPS)
def test_each_pair_is_as_its_last_step_left_it(steps) -> None:
    """A user reacts with an emoji or does not: nothing else counts."""
    last = {(emoji, user_id): is_added for emoji, user_id, is_added in steps}
    found = {(r.emoji, u) for r in applied(steps) for u in r.user_ids}
    assert found == {pair for pair, is_added in last.items() if is_added}
    assert all(reaction.user_ids for reaction in applied(steps))


@given(STEPS)
def test_a_step_that_is_repeated_changes_nothing(steps) -> None:
    """A client that resends what it is not sure of harms nobody."""
    twice = [step for step in steps for _ in range(2)]
    assert applied(twice) == applied(steps)


@given(STEPS)
def test_two_users_steps_may_be_told_in_any_order(steps) -> None:
    """Who reacts does not depend on whose steps came first."""
    own = [step for step in steps if step[1] == ADA]
    others = [step for step in steps if step[1] != ADA]
    one, two = applied(own + others), applied(others + own)
    assert {r.emoji: set(r.user_ids) for r in one} == {
        r.emoji: set(r.user_ids) for r in two
    }


@pytest.mark.parametrize(
    "emoji",
    ["👍", "👍🏽", "❤️", "👩‍👩‍👧", "🇩🇪", "1️⃣", "🫨", "✅", "\u2139\ufe0f", "©️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
)
def test_what_is_an_emoji(emoji) -> None:
    """Sequences count, also those that this Python does not know yet."""
    assert checked_emoji(emoji) == emoji


@pytest.mark.parametrize(
    "text", ["", "a", "lol", "12", "...", " ", "👍 ", "\u200d", "\n", "👍a", "👍" * 17]
)
def test_what_is_none(text) -> None:
    """Words, digits, blanks and long rows are refused."""
    with pytest.raises(DraftInvalidError):
        checked_emoji(text)


def test_a_message_and_a_user_have_only_so_many() -> None:
    """The document and the list on the wire stay small."""
    many = tuple(Reaction(chr(0x1F600 + n), (GRACE,)) for n in range(REACTIONS_MAX))
    with pytest.raises(DraftInvalidError):
        with_reaction(many, ADA, "👍")
    joined = many
    for reaction in many[:REACTIONS_OF_USER_MAX]:
        joined = with_reaction(joined, ADA, reaction.emoji)
    with pytest.raises(DraftInvalidError):
        with_reaction(joined, ADA, many[-1].emoji)


async def test_reacting_is_a_change_of_its_own(chat) -> None:
    """One revision and one event each; what is so already has neither."""
    group = await chat.group(GRACE)
    message = await sent(chat, group)
    place = (group, message.message_id, "👍")
    first = await chat.reactions.react(GRACE, *place, is_added=True)
    again = await chat.reactions.react(GRACE, *place, is_added=True)
    assert first == again
    assert first.revision == message.revision + 1
    await chat.reactions.react(ADA, *place, is_added=True)
    gone = await chat.reactions.react(GRACE, *place, is_added=False)
    assert reaction_of(gone.reactions, "👍").user_ids == (ADA,)
    events = chat.bus.published_of(MessageReacted)
    assert [(e.user_id, e.is_added, e.count) for e in events] == [
        (GRACE, True, 1),
        (ADA, True, 2),
        (GRACE, False, 1),
    ]
    assert [e.revision for e in events] == [3, 4, 5]
    assert events[-1].user_ids == (ADA,)


async def test_a_long_list_is_cut_on_the_wire_and_paged(chat) -> None:
    """The count is true, and everybody can be asked for."""
    people = [user(number) for number in range(10, 10 + USERS_SHOWN_MAX + 2)]
    group = await chat.group(*people)
    message = await sent(chat, group)
    for person in people:
        message = await chat.reactions.react(
            person, group, message.message_id, "👍", is_added=True
        )
    (shown,) = message_wire(message)["reactions"]
    assert (len(shown["user_ids"]), shown["count"]) == (USERS_SHOWN_MAX, len(people))
    found, after = [], None
    while True:
        page, after = await chat.reactions.users(
            ADA, group, message.message_id, "👍", after=after, limit=20
        )
        found += page
        if after is None:
            break
    assert found == people


async def test_who_may_not_react(chat) -> None:
    """Strangers, on tombstones, and on what is hidden from who came late."""
    group = await chat.group(GRACE)
    message = await sent(chat, group)
    with pytest.raises(ConversationNotFoundError):
        await chat.reactions.react(
            MALLORY, group, message.message_id, "👍", is_added=True
        )
    await chat.messages.delete(ADA, group, message.message_id)
    with pytest.raises(MessageIsDeletedError):
        await chat.reactions.react(
            GRACE, group, message.message_id, "👍", is_added=True
        )


async def test_a_tombstone_has_no_reactions(chat) -> None:
    """They go with the message."""
    group = await chat.group(GRACE)
    message = await sent(chat, group)
    await chat.reactions.react(GRACE, group, message.message_id, "👍", is_added=True)
    await chat.messages.delete(ADA, group, message.message_id)
    gone = await chat.messages.get(GRACE, group, message.message_id)
    assert (gone.is_deleted, gone.reactions, gone.text) == (True, (), None)


async def test_late_joiners_react_to_what_they_see(chat) -> None:
    """A hidden message looks as if it were missing."""
    group = await chat.group()
    message = await sent(chat, group)
    await chat.members.add(ADA, group, GRACE, Role.MEMBER)
    member = chat.store.members[group, GRACE]
    hidden = type(member)(
        **{name: getattr(member, name) for name in member.__struct_fields__}
        | {"visible_from_seq": 2}
    )
    chat.store.members[group, GRACE] = hidden
    with pytest.raises(MessageNotFoundError):
        await chat.reactions.react(
            GRACE, group, message.message_id, "👍", is_added=True
        )
