"""Preferences: typed, bounded, merged, and the person's own."""

import pytest

from libs.chassis.principals import Principal
from services.auth.domain import (
    MessageDensity,
    Preferences,
    Theme,
)
from services.auth.domain.errors import ClientSettingsInvalidError

PATH = "/api/v1/me/preferences"


def test_a_patch_merges_and_null_brings_the_default_back():
    """RFC 7396, within the map of clients' settings too."""
    first = Preferences().merged({"theme": Theme.DARK, "client_settings": {"a": 1}})
    assert (first.theme, first.revision) == (Theme.DARK, 1)
    changes = {"client_settings": {"a": None, "b.c": "x"}}
    second = first.merged({**changes, "message_density": MessageDensity.COMPACT})
    assert second.client_settings == {"b.c": "x"}
    assert second.theme is Theme.DARK
    third = second.merged({"theme": None, "client_settings": None})
    assert (third.theme, third.client_settings) == (Theme.SYSTEM, {})
    assert third.revision == 3


def test_a_patch_that_changes_nothing_is_no_revision():
    """Saving an unchanged form voids nobody's ETag."""
    chosen = Preferences().merged({"theme": Theme.DARK})
    assert chosen.merged({"theme": Theme.DARK}) is chosen
    assert chosen.merged({}) is chosen


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({f"key{number}": 1 for number in range(65)}, "too_many"),
        ({f"key{number}": "x" * 512 for number in range(17)}, "too_large"),
        ({"Key": 1}, "name"),
        ({"$where": 1}, "name"),
        ({"key": "x" * 513}, "value"),
        ({"key": 2**53}, "value"),
    ],
)
def test_what_clients_keep_is_bounded(settings, rule):
    """Number, names, values and the whole."""
    with pytest.raises(ClientSettingsInvalidError) as refused:
        Preferences().merged({"client_settings": settings})
    assert refused.value.details == {"rule": rule}


def test_the_bound_counts_what_is_kept_already():
    """Many small patches fill no more than one large one."""
    full = Preferences().merged({"client_settings": {f"a{n}": 1 for n in range(64)}})
    with pytest.raises(ClientSettingsInvalidError):
        full.merged({"client_settings": {"b": 1}})
    assert full.merged({"client_settings": {"a0": None, "b": 1}}).revision == 2


async def test_preferences_over_the_routes(api, ann):
    """Defaults, a change, a lost race with If-Match, and another's untouched."""
    first = await api("GET", PATH, who=ann)
    assert (first.json()["theme"], first.header("etag")) == ("system", '"0"')
    known = {"if-match": '"0"'}
    body = {"theme": "dark", "client_settings": {"web.sidebar": 240, "web.beta": True}}
    changed = await api("PATCH", PATH, body, who=ann, headers=known)
    assert (changed.json()["revision"], changed.header("etag")) == (1, '"1"')
    late = await api("PATCH", PATH, {"theme": "light"}, who=ann, headers=known)
    assert (late.status, late.json()["code"]) == (412, "preferences_changed")
    again = (await api("GET", PATH, who=ann)).json()
    assert again["theme"] == "dark"
    assert again["client_settings"] == {"web.beta": True, "web.sidebar": 240}
    anyway = await api("PATCH", PATH, {"theme": None}, who=ann)
    assert anyway.json()["theme"] == "system"


async def test_preferences_are_the_persons_own(api, house, ann):
    """Another sees their own; nobody sees none."""
    await api("PATCH", PATH, {"theme": "dark"}, who=ann)
    bob = await house.person(name="Bob")
    who = Principal(bob.user_id, bob.session_id, ("admin",))
    assert (await api("GET", PATH, who=who)).json()["theme"] == "system"
    assert (await api("GET", PATH)).status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"theme": "pink"},
        {"client_settings": {"a": {"b": 1}}},
        {"client_settings": {"a": 1.5}},
        {"has_reduced_motion": "yes"},
        {"revision": 9},
    ],
)
async def test_ma_1_a_preference_that_is_none_is_refused(api, ann, body):
    """MA-1: unknown names, other kinds of values and nested ones."""
    assert (await api("PATCH", PATH, body, who=ann)).status == 422


async def test_an_if_match_that_is_no_revision_is_refused(api, ann):
    """Rather than taken for none."""
    answer = await api("PATCH", PATH, {}, who=ann, headers={"if-match": "3"})
    assert (answer.status, answer.json()["code"]) == (400, "if_match_invalid")
    anything = await api("PATCH", PATH, {}, who=ann, headers={"if-match": "*"})
    assert anything.status == 200
