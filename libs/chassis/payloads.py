"""Strict JSON (RFC 8259 and I-JSON, RFC 7493), before any schema looks at it.

Python's parser takes NaN, duplicate names, numbers that no database keeps and any
depth; one reader's leniency is another's injection (NI-3, HT-1).
"""

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from libs.chassis.asgi import ASGIApp, Message, Receive, Scope, Send, header
from libs.chassis.problems import HttpError
from libs.kernel import InvalidError, TooLargeError

# Up to the next bracket outside of a text, or to the end. Possessive, and without a
# way to fail, so that no input costs more than one pass: the plain form is quadratic
# on a quote followed by many escaped quotes.
_BRACKET_PATTERN = re.compile(
    r'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([\[\]{}]|\Z)', re.DOTALL
)
_LONG_INTEGER_PATTERN = re.compile(r"\d{19}")
_SURROGATE_PATTERN = re.compile("[\ud800-\udfff]")
_INT64 = 2**63
_UNSUPPORTED = "The body must be application/json in UTF-8."
_FORM = b"application/x-www-form-urlencoded"
_FORM_EXPECTED = "The body must be application/x-www-form-urlencoded."
_BODY_SECONDS = 30


@dataclass(frozen=True)
class JsonLimits:
    """What a request's body may be.

    Attributes:
        body_bytes: Greatest size.
        depth: Greatest nesting of arrays and objects.
        names: Greatest number of names in one object.
        brackets: Greatest number of opening brackets, those in texts included.
    """

    body_bytes: int = 1024 * 1024
    depth: int = 32
    names: int = 1000
    brackets: int = 50_000


DEFAULT_LIMITS = JsonLimits()


def parse_json(text: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a JSON text, refusing all that readers do not agree on.

    Refused: invalid UTF-8, a byte order mark, NaN and infinities (``1e400`` too),
    integers beyond 64 bits, lone surrogates, duplicate names, too many names, too
    much depth.

    Raises:
        InvalidError: ``json_invalid``; never quotes the text.
    """
    try:
        decoded = text.decode()
        _check_nesting(decoded, limits)
        value = json.loads(
            decoded,
            object_pairs_hook=lambda pairs: _object(pairs, limits.names),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            # The hook costs ten times the parser's own integers.
            parse_int=_int64 if _LONG_INTEGER_PATTERN.search(decoded) else None,
        )
    except (ValueError, RecursionError):
        # Not chained: a parser's message may quote the text.
        raise _invalid("The body is not valid JSON.") from None
    if "\\u" in decoded:
        _check_surrogates(value)
    return value


class StrictJson:
    """ASGI middleware: hands on requests with no body or with strict JSON.

    The body is read whole, within 30 s and the size limit, and replayed to the app.
    Where a standard wants a form, on paths that match `forms`, it is a form instead.
    Raises, for `RequestEdge` around it, 413 ``body_too_large``, 415
    ``content_type_unsupported``, 400 ``json_invalid``.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: JsonLimits = DEFAULT_LIMITS,
        forms: re.Pattern[str] | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._forms = forms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is None:
            return  # the client left; nobody waits for an answer
        if body:
            self._check(scope, body)
        await self._app(scope, _replay(body, receive), send)

    def _check(self, scope: Scope, body: bytes) -> None:
        kind = header(scope, b"content-type")
        if self._forms is not None and self._forms.fullmatch(scope["path"]):
            if kind is None or kind.partition(b";")[0].strip().lower() != _FORM:
                raise HttpError(415, "content_type_unsupported", _FORM_EXPECTED)
            return
        if not _is_json(kind):
            raise HttpError(415, "content_type_unsupported", _UNSUPPORTED)
        parse_json(body, self._limits)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        self._check_size(int(header(scope, b"content-length") or b"0"))
        chunks: list[bytes] = []
        size = 0
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunk = message.get("body", b"")
                size += len(chunk)
                self._check_size(size)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)

    def _check_size(self, size: int) -> None:
        limit = self._limits.body_bytes
        if size > limit:
            raise TooLargeError(
                "body_too_large", "The body is too large.", limit_bytes=limit
            )


def _is_json(content_type: bytes | None) -> bool:
    if content_type is None:
        return False
    kind, *parameters = content_type.decode("latin-1").lower().split(";")
    charsets = [p.partition("=")[2].strip(' "') for p in parameters if "charset" in p]
    return kind.strip() == "application/json" and all(
        charset == "utf-8" for charset in charsets
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    is_done = False

    async def replayed() -> Message:
        nonlocal is_done
        if is_done:
            return await receive()
        is_done = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _invalid(message: str) -> InvalidError:
    return InvalidError("json_invalid", message)


def _check_nesting(text: str, limits: JsonLimits) -> None:
    most = text.count("[") + text.count("{")
    if most <= limits.depth:
        return
    if most > limits.brackets:
        raise _invalid("The body has too many arrays and objects.")
    depth = 0
    for bracket in _BRACKET_PATTERN.findall(text):
        depth += 1 if bracket in ("[", "{") else -1
        if depth > limits.depth:
            raise _invalid("The body is nested too deeply.")


def _object(pairs: list[tuple[str, Any]], limit: int) -> dict[str, Any]:
    if len(pairs) > limit:
        raise _invalid("An object has too many names.")
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("An object has the same name twice.")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise _invalid("NaN and infinities are not JSON.")


def _int64(text: str) -> int:
    value = int(text)
    if not -_INT64 <= value < _INT64:
        raise _invalid("An integer has more than 64 bits.")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _invalid("A number is too large.")
    return value


def _check_surrogates(value: object) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and _SURROGATE_PATTERN.search(item):
            raise _invalid("A text holds half of a surrogate pair.")
