"""Latency of a quiet system: 20 sends a second through the edge, two people in turn.

Prints the time from emit to acknowledgement and from emit to the other's socket, as
clients see them: nginx, chat, MongoDB's majority commit, RabbitMQ's confirm and back.
"""

import argparse
import asyncio
import json
import platform
import statistics
import time
from pathlib import Path

from deploy.embedded.layout import DEFAULT_ROOT, open_stack
from libs.kernel import new_id
from scripts.demo.client import Person
from scripts.demo.house import House
from scripts.demo.story import Story
from scripts.seed import settle

SENDS = 400
EVERY_SECONDS = 0.05


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(pair: tuple[Person, Person], group_id: str) -> dict[str, list[float]]:
    """Let two people send in turn; return milliseconds to ack and to delivery."""
    acked: list[float] = []
    sent_at: dict[str, float] = {}

    async def send(sender: Person) -> None:
        key = new_id()
        started = sent_at[key] = time.monotonic()
        answer = await sender.emit(
            "message.send",
            {"conversation_id": group_id, "client_message_id": key, "text": "tick"},
        )
        assert "message" in answer, answer
        acked.append((time.monotonic() - started) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for number in range(SENDS):
            tasks.create_task(send(pair[number % 2]))
            await asyncio.sleep(EVERY_SECONDS)
    await asyncio.sleep(1)
    return {"ack": acked, "delivered": delivered(pair, sent_at)}


def delivered(pair: tuple[Person, Person], sent_at: dict[str, float]) -> list[float]:
    """Return milliseconds from each emit to the other person's socket."""
    return [
        (at - sent_at[payload["message"]["client_message_id"]]) * 1000
        for person in pair
        for event, payload, at in person.live
        if event == "message.sent"
        and payload["message"]["sender_id"] != person.user_id
        and payload["message"]["client_message_id"] in sent_at
    ]


async def run(root: Path) -> dict[str, float]:
    """Prepare two people and a group; return the figures."""
    stack = open_stack(root)
    house = House(stack.url("edge"), stack.url("smtp_view"), stack.url("fcm_control"))
    story = Story(house)
    async with story.ada, story.grace:
        for person in (story.ada, story.grace):
            await settle(person, house, f"{person.name.lower()}-{story.run}")
        await story.open_group()
        found = await measure((story.ada, story.grace), story.group_id)
    assert len(found["delivered"]) == SENDS, "a message was not delivered live"
    return {
        "ack_p50_ms": statistics.median(found["ack"]),
        "ack_p99_ms": percentile(found["ack"], 0.99),
        "delivered_p50_ms": statistics.median(found["delivered"]),
        "delivered_p99_ms": percentile(found["delivered"], 0.99),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.chat_quiet", description=__doc__)
    parser.add_argument("--stack", type=Path, default=DEFAULT_ROOT)
    measured = asyncio.run(run(parser.parse_args().stack))
    figures = {name: round(value, 2) for name, value in measured.items()}
    print(
        f"{SENDS} sends, one every {EVERY_SECONDS * 1000:.0f} ms, {platform.machine()}"
    )
    for name, value in figures.items():
        print(f"  {name:<20} {value:8.2f}")
    print(json.dumps(figures))
