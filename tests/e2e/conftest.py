"""What the end-to-end tests share: a told story, and people with conversations."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.events.catalog import __all__ as catalog_names
from libs.events.event import event_classes
from scripts.demo.client import Person
from scripts.demo.house import House
from scripts.demo.story import Story

FOREIGN_CONSUMER = Path(__file__).parents[1] / "support" / "foreign_consumer.py"


def house_of(stack: Any) -> House:
    """Return the demo's view of a test stack."""
    return House(
        stack.edge_url,
        f"http://127.0.0.1:{stack.port('smtp_view')}",
        f"http://127.0.0.1:{stack.port('fcm_control')}",
    )


@dataclass(frozen=True)
class Told:
    """A story that was played once, and what a foreign consumer saw of it."""

    story: Story
    seen: list[dict[str, Any]]


@pytest.fixture(scope="session")
def told(house) -> Told:
    """Play the story once a test run, with a foreign consumer listening."""
    assert catalog_names
    exchanges = sorted({cls.event_exchange() for cls in event_classes().values()})
    consumer = subprocess.Popen(
        [sys.executable, str(FOREIGN_CONSUMER), house.admin_amqp_url, *exchanges],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert consumer.stdout is not None
    with consumer:
        assert consumer.stdout.readline().strip() == "watching"
        try:
            story = asyncio.run(tell_story(house_of(house)))
        except BaseException:
            consumer.kill()
            raise
        output, _ = consumer.communicate(timeout=20)
    return Told(story, [json.loads(line) for line in output.splitlines()])


async def tell_story(view: House) -> Story:
    """Tell a story and wait until what follows it has been said."""
    story = Story(view)
    await story.tell()
    await asyncio.sleep(1.5)  # the coalesced read marker and presence may follow
    return story


@dataclass(frozen=True)
class Neighbours:
    """Two people with a group, and a conversation that is none of Ada's business."""

    ada: Person
    grace: Person
    names: dict[str, str]


async def settle(person: Person, house: House) -> Person:
    """Give somebody a verified account and sign in."""
    await person.register()
    await person.verify(await house.verification_token(person.email))
    await person.sign_in()
    return person


@pytest.fixture
async def neighbours(house) -> AsyncIterator[Neighbours]:
    """Make three people and two groups through the edge."""
    view = house_of(house)
    story = Story(view)
    stranger = Person(
        view.edge_url, f"eve-{story.run}@example.org", "a long enough password", "Eve"
    )
    async with story.ada, story.grace, stranger:
        for person in (story.ada, story.grace, stranger):
            await settle(person, view)
        body = {"kind": "group", "title": "Ours"}
        ours = await story._patiently(
            story.ada,
            "POST",
            "conversations",
            {**body, "member_ids": [story.grace.user_id]},
        )
        theirs = await story._patiently(
            stranger,
            "POST",
            "conversations",
            {**body, "member_ids": [story.grace.user_id]},
        )
        names = {
            "group": ours["conversation_id"],
            "foreign": theirs["conversation_id"],
            "me": story.ada.user_id,
            "other": story.grace.user_id,
        }
        yield Neighbours(story.ada, story.grace, names)


@pytest.fixture(scope="session")
def story_texts(told) -> list[str]:
    """Return what people wrote in the story."""
    from scripts.demo.story import LINES, MISSED_LINES  # noqa: PLC0415 - beside its use

    assert told.story.group_id
    return [*LINES, *MISSED_LINES]
