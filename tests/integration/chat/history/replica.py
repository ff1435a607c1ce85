"""A client's copy of a conversation, kept as docs/realtime.md tells client authors.

It knows nothing but the two documented ways: live events in the order of revision,
and ``changes?since=``.
"""

from dataclasses import dataclass, field
from typing import Any

_UNREVISIONED = ("read_seq",)


@dataclass
class Replica:
    """State by id, up to a revision."""

    revision: int = 0
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    conversation: dict[str, Any] = field(default_factory=dict)

    def take(self, payload: dict[str, Any]) -> None:
        """Apply a live event, if it is newer."""
        if payload["revision"] <= self.revision:
            return
        self.revision = payload["revision"]
        if "message" in payload:
            self._merge_message(_derived(payload, self.messages))
        if "member" in payload:
            self._merge_member(payload["member"])
        if "conversation" in payload:
            self.conversation |= payload["conversation"]

    def merge(self, changes: dict[str, Any]) -> None:
        """Apply an answer of ``changes?since=``."""
        for message in changes["messages"]:
            self._merge_message(message)
        for member in changes["members"]:
            self._merge_member(member)
        if changes["conversation"] is not None:
            self.conversation |= changes["conversation"]
        self.revision = max(self.revision, changes["revision"])

    def _merge_message(self, message: dict[str, Any]) -> None:
        known = self.messages.setdefault(message["message_id"], {})
        if message["revision"] >= known.get("revision", 0):
            known |= message

    def _merge_member(self, member: dict[str, Any]) -> None:
        known = self.members.setdefault(member["user_id"], {})
        if member["revision"] >= known.get("revision", 0):
            known |= {k: v for k, v in member.items() if k not in _UNREVISIONED}

    def active_members(self) -> dict[str, str]:
        """Return the role of each active member by user id."""
        return {
            user_id: member["role"]
            for user_id, member in self.members.items()
            if member["is_active"]
        }


def _derived(
    payload: dict[str, Any], known: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the message of a live event with what a client works out by itself."""
    message = dict(payload["message"])
    before = known.get(message["message_id"], {})
    if message["revision"] <= before.get("revision", 0):
        return message
    if "reaction" in payload:
        message["reactions"] = _with(payload["reaction"], before.get("reactions", []))
    is_edit = "edited_at" in message and "sent_at" not in message
    if is_edit and "edit_count" not in message:
        message["edit_count"] = before.get("edit_count", 0) + 1
    return message


def _with(
    reaction: dict[str, Any], reactions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Put one emoji's present state in its place, at the end where it is new."""
    changed = {known["emoji"]: known for known in reactions}
    changed[reaction["emoji"]] = reaction
    return [known for known in changed.values() if known["count"]]
