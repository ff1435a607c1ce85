"""The checker names the broken rule of every seeded bad history."""

from typing import Any

import pytest

from tests.e2e.flow import Reader, Sender, check


def good() -> tuple[Sender, Reader, list[dict[str, Any]]]:
    """Return a history in which every rule holds."""
    sender = Sender(None, "c")  # type: ignore[arg-type]  # the checker calls nobody
    reader = Reader(None, "c")  # type: ignore[arg-type]  # the checker calls nobody
    stored = []
    for seq in (1, 2, 3):
        key = f"id-{seq}"
        sender.texts[key] = f"text {seq}"
        sender.acked[key] = seq
        reader.seen[seq] = key
        stored.append({"client_message_id": key, "seq": seq, "text": f"text {seq}"})
    return sender, reader, stored


def test_good_history_passes() -> None:
    """Nothing is named where nothing is broken."""
    assert check(*good()) == {}


@pytest.mark.parametrize("rule", ["H1", "H2", "H3", "H4", "H6"])
def test_bad_history_is_named(rule) -> None:
    """A history that breaks one rule is named by that rule."""
    sender, reader, stored = good()
    if rule == "H1":
        stored.pop()
    elif rule == "H2":
        stored.append({**stored[0], "seq": 4})
    elif rule == "H3":
        stored.append({"client_message_id": "x", "seq": 4, "text": "phantom"})
    elif rule == "H4":
        stored[2]["seq"] = 4
    else:
        del reader.seen[2]
    assert any(name.startswith(rule) for name in check(sender, reader, stored))
