"""Which messages FCM takes: the shape of `projects.messages.send`.

Source: Firebase, "REST Resource: projects.messages".
"""

import json
from typing import Any

_FIELDS = {
    "name",
    "data",
    "notification",
    "android",
    "webpush",
    "apns",
    "fcm_options",
    "fcmOptions",
    "token",
    "topic",
    "condition",
}
_TARGETS = ("token", "topic", "condition")
_OBJECTS = ("notification", "android", "webpush", "apns")
_RESERVED = ("from", "message_type", "google.", "gcm.")
_PAYLOAD_LIMIT_BYTES = 4096


def message_error(body: Any) -> str | None:  # noqa: ANN401 - a stranger's JSON
    """Return what FCM would say against a request body, None if it takes it."""
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        return "message must be set"
    unknown = set(message) - _FIELDS
    if unknown:
        return f"Unknown name: {', '.join(sorted(unknown))}"
    targets = [name for name in _TARGETS if message.get(name)]
    if len(targets) != 1:
        return "Exactly one of token, topic or condition is required"
    if any(not isinstance(message.get(name, {}), dict) for name in _OBJECTS):
        return "Invalid value: an object was expected"
    return _payload_error(message)


def _payload_error(message: dict[str, Any]) -> str | None:
    entries = message.get("data", {})
    if not isinstance(entries, dict):
        return "Invalid value at 'message.data'"
    for name, value in entries.items():
        if not isinstance(value, str):
            return f"Invalid value at 'message.data[{name}]' (TYPE_STRING)"
        if name.startswith(_RESERVED):
            return f"Invalid data payload key: {name}"
    payload = {"data": entries, "notification": message.get("notification")}
    if len(json.dumps(payload).encode()) > _PAYLOAD_LIMIT_BYTES:
        return "Message is too big"
    return None
