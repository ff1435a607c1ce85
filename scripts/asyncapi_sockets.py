"""Write docs/asyncapi-sockets.json from the dispatcher's routes, or check it.

With ``--check`` nothing is written; the exit status is 1 where the page differs.
"""

import json
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
from pydantic.json_schema import models_json_schema

from services.chat.sockets import MessageHandlers, PresenceHandlers, SocketHandlers
from services.chat.sockets.dispatch import Route
from services.chat.sockets.handlers import Admission
from services.chat.sockets.protocol import ANSWERS, EMITTED, Refusal

TARGET = Path("docs/asyncapi-sockets.json")
_SCHEMAS = "#/components/schemas/"
_SENT, _TOLD = "client.", "server."
_DESCRIPTION = (
    "Socket.IO 5 over WebSocket only. A channel is an event of the default namespace; "
    "`client.` and `server.` say who sends it and are not part of its name. Every "
    "event of a client is acknowledged with its result or with a refusal. Order, gaps, "
    "limits and close codes: realtime.md."
)


def routes() -> dict[str, Route]:
    """Return the events that clients may send; their handlers are never called."""
    handlers = SocketHandlers.__new__(SocketHandlers)  # the table needs no adapters
    about_messages = MessageHandlers.__new__(MessageHandlers)
    about_presence = PresenceHandlers.__new__(PresenceHandlers)
    others = about_messages.routes() | about_presence.routes()
    return others | handlers.routes(cast("Admission", None))


def document() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of the socket protocol."""
    served = routes()
    if set(served) != set(ANSWERS):
        differing = ", ".join(sorted(set(served) ^ set(ANSWERS)))
        raise SystemExit(f"services/chat/sockets/protocol.py differs on: {differing}")
    names = [*(_SENT + name for name in served), *(_TOLD + name for name in EMITTED)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parley sockets",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "servers": {"edge": _server()},
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in names},
        "operations": dict(map(_operation, names)),
        "components": {
            "messages": _messages(served),
            "schemas": _schemas(served),
            "securitySchemes": {
                "token": {
                    "type": "userPassword",
                    "description": "The access token in CONNECT: {token}.",
                }
            },
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "parley.example",
        "pathname": "/socket.io/",
        "protocol": "wss",
        "description": "nginx; EIO=4 and transport=websocket in the query.",
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _channel(name: str) -> dict[str, Any]:
    return {
        "address": name.partition(".")[2],
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _operation(name: str) -> tuple[str, dict[str, Any]]:
    """Seen from a client: it sends the one kind and receives the other."""
    operation: dict[str, Any] = {
        "action": "send" if name.startswith(_SENT) else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
    }
    return f"{operation['action']}.{name}", operation


def _messages(served: dict[str, Route]) -> dict[str, Any]:
    sent = {
        _SENT + name: {
            "name": name,
            "summary": _summary(route.handle),
            "payload": _ref(_payload_name(route.payload.__name__)),
            "x-acknowledgement": {
                "oneOf": [_ref(ANSWERS[name].__name__), _ref(Refusal.__name__)]
            },
        }
        for name, route in served.items()
    }
    told = {
        _TOLD + name: {
            "name": name,
            "summary": _summary(model),
            "payload": _ref(model.__name__),
        }
        for name, model in EMITTED.items()
    }
    return sent | told


def _summary(described: object) -> str:
    return (described.__doc__ or "").strip().partition("\n")[0]


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _SCHEMAS + name}


def _payload_name(name: str) -> str:
    """What clients send and what they are told share some names."""
    return f"{name}Payload"


def _schemas(served: dict[str, Route]) -> dict[str, Any]:
    models = sorted(
        {*ANSWERS.values(), *EMITTED.values(), Refusal}, key=lambda cls: cls.__name__
    )
    _, told = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template=_SCHEMAS + "{model}",
    )
    payloads = sorted({r.payload for r in served.values()}, key=lambda c: c.__name__)
    _, sent = msgspec.json.schema_components(
        payloads, ref_template=_SCHEMAS + _payload_name("{name}")
    )
    return dict(told["$defs"]) | {_payload_name(n): sent[n] for n in sorted(sent)}


def main(arguments: list[str]) -> int:
    """Write or check the document; return the exit status."""
    text = json.dumps(document(), indent=1, sort_keys=True) + "\n"
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not what chat's sockets say: run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
