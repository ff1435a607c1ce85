"""What a hostile client writes: seeded, and made from the dispatcher's own table."""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from msgspec import inspect

from scripts.asyncapi_sockets import routes

_MOST_BYTES = 200_000  # what is larger ends the socket, as other tests show
_PIECES = ('"', "\\", "\x00", "é", "😀", "[", "{", "}", "]", ",", "0", "-", "e", " ")
_ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "x" * 40_000,
    "é" * 20_000,
    "😀" * 5_000,
    "\u202e\u200b",
    "$where",
    "__proto__",
    "../../etc/passwd",
    "conversation:*",
    "null",
)
_ODD_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 10**40, 0.5, -1e308, 1e-320)


@dataclass(frozen=True)
class Known:
    """Ids that are there, so that some payloads get far."""

    conversation_ids: tuple[str, ...]
    user_ids: tuple[str, ...]


class Fuzzer:
    """Draws events, packets and frames from one seed.

    Args:
        seed: The same seed draws the same.
        known: See `Known`.
    """

    def __init__(self, seed: int, known: Known) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a fuzzer, no secret
        self._known = known
        self._types = {
            name: inspect.type_info(route.payload) for name, route in routes().items()
        }
        pick = self._random.choice
        self._draws: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
            (inspect.StructType, self._struct),
            (inspect.StrType, self._text_of),
            (inspect.IntType, lambda _: pick((1, 2, 3, *_ODD_NUMBERS))),
            (inspect.BoolType, lambda _: pick((True, False))),
            (inspect.LiteralType, lambda of: pick((*of.values, self._text()))),
            ((inspect.VarTupleType, inspect.ListType), self._items),
            (inspect.UnionType, lambda of: self._near(pick(of.types))),
            (inspect.NoneType, lambda _: None),
        )

    def event(self, ack_id: int) -> bytes:
        """Return an EVENT packet that asks for an answer under its id."""
        while len(packet := self._event(ack_id)) > _MOST_BYTES:
            pass
        return packet

    def _event(self, ack_id: int) -> bytes:
        name = self._pick(tuple(self._types))
        payload = self._near(self._types[name])
        draw = self._random.random()
        if draw < 0.05:
            name = self._text()
        if draw > 0.95:
            body = json.dumps([name, payload, *[payload] * self._random.randint(0, 3)])
        elif draw > 0.9:
            body = f"[{json.dumps(name)},{self._raw_json()}]"
        else:
            body = json.dumps([name, payload], ensure_ascii=self._random.random() < 0.5)
        return b"42" + str(ack_id).encode() + body.encode("utf-8", "replace")

    def packet(self) -> bytes:
        """Return text that is no event of ours: other packets, broken ones, noise."""
        kinds = (
            lambda: self._random.choice(b"0123456789").to_bytes(1, "big"),
            lambda: b"4" + self._noise(20),
            lambda: b"42" + self._noise(60),
            lambda: b"42/admin,1" + self.event(1)[3:],
            lambda: b"451-" + self.event(1)[2:],
            lambda: b"43" + self._noise(10) + b"[]",
            lambda: b"40" + json.dumps({"token": self._text()[:5_000]}).encode(),
            lambda: b"40" + self._raw_json().encode(),
            lambda: b"44" + self._noise(10),
            lambda: b"b" + self._noise(30),
            lambda: self._flipped(self.event(7)),
            lambda: b"42" + b"[" * self._random.randint(1, 60_000),
            lambda: b'42["message.send",' + b'{"a":' * self._random.randint(1, 9_000),
            lambda: b"",
        )
        return self._pick(kinds)()

    def frame(self) -> bytes:
        """Return bytes for the wire: frames with wrong headers, or none at all."""
        if self._random.random() < 0.2:
            return self._random.randbytes(self._random.randint(1, 400))
        payload = self.packet()[: self._random.randint(0, 70_000)]
        opcode = self._random.choice((0, 1, 1, 1, 2, 3, 7, 8, 9, 10, 11, 15))
        fin = self._random.choice((0, 0x80, 0x80))
        reserved = self._random.choice((0, 0, 0, 0x10, 0x20, 0x40))
        masked = self._random.choice((0x80, 0x80, 0x80, 0))
        head = bytes([fin | reserved | opcode])
        size = len(payload)
        told = size if self._random.random() < 0.8 else self._random.getrandbits(63)
        if told < 126:
            head += bytes([masked | told])
        elif told < 65_536:
            head += struct.pack("!BH", masked | 126, told)
        else:
            head += struct.pack("!BQ", masked | 127, told)
        return head + (b"\0\0\0\0" if masked else b"") + payload

    def _near(self, wanted: inspect.Type) -> Any:
        """Return a value of a type, or one that is nearly so."""
        if self._random.random() < 0.07:
            return self._any()
        for kind, draw in self._draws:
            if isinstance(wanted, kind):
                return draw(wanted)
        return self._any()

    def _items(self, wanted: Any) -> list[Any]:
        count = self._random.choice((0, 1, 1, 2, 5, 250))
        return [self._near(wanted.item_type) for _ in range(count)]

    def _struct(self, wanted: inspect.StructType) -> dict[str, Any]:
        found = {
            field.encode_name: self._near(field.type)
            for field in wanted.fields
            if field.required or self._random.random() < 0.5
        }
        draw = self._random.random()
        if draw < 0.05 and found:
            del found[self._pick(tuple(found))]
        elif draw < 0.1:
            found[self._text()[:100]] = self._any()
        return found

    def _text_of(self, wanted: inspect.StrType) -> str:
        if wanted.min_length == 36:
            return self._identity()
        return self._random.choice(("hello", "a **word**", self._text()))

    def _identity(self) -> str:
        made_up = str(UUID(int=self._random.getrandbits(128)))
        ids = (*self._known.conversation_ids, *self._known.user_ids, made_up)
        return self._random.choice((*ids, "x" * 36, self._noise(36).decode("latin-1")))

    def _any(self, depth: int = 0) -> Any:
        kind = self._random.randint(0, 6 if depth < 4 else 4)
        if kind == 5:
            return [self._any(depth + 1) for _ in range(self._random.randint(0, 4))]
        if kind == 6:
            return {
                self._text()[:50]: self._any(depth + 1)
                for _ in range(self._random.randint(0, 4))
            }
        return self._random.choice(
            (None, True, False, self._text(), self._random.choice(_ODD_NUMBERS))
        )

    def _text(self) -> str:
        if self._random.random() < 0.5:
            return self._random.choice(_ODD_TEXTS)
        count = self._random.randint(0, 60)
        return "".join(self._random.choice(_PIECES) for _ in range(count))

    def _raw_json(self) -> str:
        """Return JSON, or what only looks like it: numbers and escapes at the edge."""
        return self._random.choice(
            (
                "NaN",
                "1e999",
                "-0",
                "01",
                '"\\ud800"',
                '{"a":1,"a":2}',
                "{" * 50,
                '{"conversation_id":"\\u0000"}',
                json.dumps(self._any()),
                "",
            )
        )

    def _noise(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randint(1, most))

    def _flipped(self, packet: bytes) -> bytes:
        flipped = bytearray(packet)
        for _ in range(self._random.randint(1, 4)):
            flipped[self._random.randrange(len(flipped))] = self._random.getrandbits(8)
        return bytes(flipped)

    def _pick(self, choices: Any) -> Any:
        return self._random.choice(choices)
