"""Profiles, handles and the directory."""

import pytest

from libs.events.catalog import UserUpdated
from libs.kernel import AppError
from services.auth.domain import UserStatus
from services.auth.domain.errors import (
    HandleTakenError,
    UserMissingError,
)
from services.auth.service import ProfileChange


@pytest.fixture
async def ann(house):
    """An active user."""
    return await house.join(name="Ann Lovelace")


async def test_update_stores_and_tells_the_whole_profile(house, ann):
    """A change raises the revision; its event carries the whole profile."""
    change = ProfileChange(time_zone="Europe/Rome", status_text=" in a talk ")
    user = await house.state["profiles"].update(ann, change)
    [event] = house.bus.published_of(UserUpdated)
    assert event.revision == user.revision == 3
    assert event.display_name == "Ann Lovelace"
    assert event.time_zone == "Europe/Rome"
    assert event.status_text == user.status_text == "in a talk"
    assert event.handle is None
    assert event.roles == ("member",)


async def test_change_to_the_same_is_no_change(house, ann):
    """Saving an unchanged form tells nobody anything."""
    profiles = house.state["profiles"]
    await profiles.update(ann, ProfileChange(display_name="Ann Lovelace"))
    await profiles.update(ann, ProfileChange())
    assert house.bus.published_of(UserUpdated) == []


@pytest.mark.parametrize(
    "change",
    [
        ProfileChange(display_name=""),
        ProfileChange(display_name="a\x00"),
        ProfileChange(locale="xx_YY"),
        ProfileChange(time_zone="Mars/Base"),
        ProfileChange(status_text="x" * 141),
    ],
)
async def test_bad_field_changes_nothing(house, ann, change):
    """A broken rule leaves the profile as it was."""
    with pytest.raises(AppError):
        await house.state["profiles"].update(ann, change)
    assert house.bus.published_of(UserUpdated) == []


async def test_handle_is_unique(house, ann):
    """A handle belongs to one user; letting it go frees it."""
    profiles = house.state["profiles"]
    bob = await house.join("bob@example.test", name="Bob")
    await profiles.set_handle(ann, "ann")
    with pytest.raises(HandleTakenError):
        await profiles.set_handle(bob, "ann")
    await profiles.set_handle(ann, "ann.lovelace")
    assert (await profiles.set_handle(bob, "ann")).handle == "ann"
    handles = [event.handle for event in house.bus.published_of(UserUpdated)]
    assert handles == ["ann", "ann.lovelace", "ann"]


@pytest.mark.parametrize("query", ["ann", "ANN L", "love", "Lovelace", "ann-1"])
async def test_search_finds_by_the_beginning_of_a_word_or_handle(house, ann, query):
    """Names are found from any word on, handles from their beginning."""
    await house.state["profiles"].set_handle(ann, "ann-1")
    await house.join("bob@example.test", name="Bob")
    page = await house.state["profiles"].search(query, after=None, limit=10)
    assert [user.user_id for user in page.items] == [ann]


@pytest.mark.parametrize("query", ["nn", "ace", ".*", "^a", "$ne", "a.n"])
async def test_ni_2_search_text_is_no_pattern(house, ann, query):
    """NI-2: the text is taken literally, from the beginning of a word."""
    page = await house.state["profiles"].search(query, after=None, limit=10)
    assert page.items == []


async def test_directory_is_paged_in_a_stable_order(house, ann):
    """Pages continue after the last id and end."""
    others = [
        await house.join(f"u{number}@example.test", name=f"User {number}")
        for number in range(4)
    ]
    profiles = house.state["profiles"]
    first = await profiles.search("user", after=None, limit=3)
    assert first.has_more
    rest = await profiles.search("user", after=first.items[-1].user_id, limit=3)
    assert not rest.has_more
    found = [user.user_id for user in [*first.items, *rest.items]]
    assert found == others


@pytest.mark.parametrize("query", ["", " ", "\u3000"])
async def test_nobody_lists_everyone(house, ann, query):
    """A search for nothing finds nobody, so the directory cannot be read out."""
    page = await house.state["profiles"].search(query, after=None, limit=10)
    assert (page.items, page.has_more) == ([], False)


async def test_suspended_person_is_not_found_but_keeps_a_name(house, ann):
    """Whoever is locked out is offered to nobody; what they wrote keeps its author."""
    profiles = house.state["profiles"]
    user = await profiles.set_handle(ann, "ann")
    suspended = user.changed(house.clock.now(), status=UserStatus.SUSPENDED)
    await house.adapters.stores.users.update(suspended, None)
    assert (await profiles.search("ann", after=None, limit=10)).items == []
    assert (await profiles.find_by_handle("ann")).items == []
    assert (await profiles.get_many([ann])).items == [suspended]
    assert (await profiles.get(ann)).display_name == "Ann Lovelace"


async def test_unverified_account_is_invisible(house, ann):
    """Nobody sees who has registered and not verified."""
    await house.register("pending@example.test", name="Pending")
    profiles = house.state["profiles"]
    assert (await profiles.search("pend", after=None, limit=10)).items == []
    event, _ = house.mails[-1]
    assert (await profiles.get_many([event.user_id, ann])).items[0].user_id == ann
    with pytest.raises(UserMissingError):
        await profiles.get(event.user_id)


async def test_exact_handle_finds_one_or_nobody(house, ann):
    """A mention is resolved by the exact handle."""
    profiles = house.state["profiles"]
    await profiles.set_handle(ann, "ann")
    assert [user.user_id for user in (await profiles.find_by_handle("ann")).items] == [
        ann
    ]
    assert (await profiles.find_by_handle("an")).items == []
