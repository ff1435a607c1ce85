"""Keeps secrets out of logs when a caller forgot to: by name, by form, by class."""

import re
import traceback
from collections.abc import Mapping
from functools import lru_cache

from structlog.typing import EventDict, WrappedLogger

from libs.kernel import AppError

REDACTED = "[redacted]"
_SECRET_NAMES = frozenset(
    {
        "access_token", "api_key", "authorization", "body", "ciphertext", "content",
        "cookie", "credentials", "data_key", "device_token", "email", "id_token",
        "jwt", "key", "password", "passwd", "pepper", "phone", "plaintext",
        "private_key", "recovery_code", "refresh_token", "secret", "set_cookie",
        "text", "token", "totp", "wrapped_key",
    }
)  # fmt: skip
_SECRET_SUFFIXES = ("_password", "_secret", "_token", "_cookie", "_private_key")
_TOKEN_PATTERN = re.compile(r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)+")
_URL_ACCOUNT_PATTERN = re.compile(r"(://)[^/\s@]*@")
_HARMLESS = frozenset({bool, int, float, type(None)})
_DEPTH = 4
_MAX_FRAMES = 40
_MAX_MESSAGE = 300
# Their messages are written by programmers and hold no values of users. All others
# (ValueError, KeyError, a validator's, a driver's) may quote what they choked on.
_PROGRAMMING_ERRORS = (
    AssertionError, AttributeError, ImportError, NameError, NotImplementedError,
    RuntimeError, TypeError,
)  # fmt: skip


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values that look like secrets; a structlog processor.

    A value is replaced when its name is one of the known secret names, and inside
    texts whatever has the form of a JSON Web Token or of an account in a URL.
    """
    if _are_harmless(tuple(event)) and all(map(_is_plain, event.values())):
        return event
    return {name: _clean(name, value, _DEPTH) for name, value in event.items()}


def describe_exception(error: BaseException) -> list[dict[str, object]]:
    """Describe an exception and its causes without locals or private values.

    Returns:
        Outermost first, each with ``class``, ``frames`` (``file:line function``,
        the innermost 40) and, where it is known to be harmless, ``message``.
    """
    described: list[dict[str, object]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        described.append(_describe_one(current))
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return described


def _describe_one(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    described: dict[str, object] = {
        "class": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    message = _harmless_message(error)
    if message:
        described["message"] = message[:_MAX_MESSAGE]
    if isinstance(error, BaseExceptionGroup):
        described["group"] = [describe_exception(part) for part in error.exceptions]
    return described


def _harmless_message(error: BaseException) -> str | None:
    if isinstance(error, AppError):
        return error.code
    if isinstance(error, OSError):
        return error.strerror
    if type(error) in _PROGRAMMING_ERRORS:
        return str(error)
    return None


def _clean(name: str, value: object, depth: int) -> object:
    if _is_secret_name(name):
        return REDACTED
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    return _clean_nested(value, depth - 1) if depth else value


def _clean_nested(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        return {key: _clean(str(key), part, depth) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean("", part, depth) for part in value]
    return value


def _is_plain(value: object) -> bool:
    if type(value) is str:
        return "eyJ" not in value and "://" not in value
    return type(value) in _HARMLESS


@lru_cache(maxsize=1024)
def _are_harmless(names: tuple[str, ...]) -> bool:
    return not any(map(_is_secret_name, names))


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_SUFFIXES)


def _clean_text(text: str) -> str:
    if "eyJ" in text:
        text = _TOKEN_PATTERN.sub(REDACTED, text)
    if "@" in text and "://" in text:
        text = _URL_ACCOUNT_PATTERN.sub(rf"\1{REDACTED}@", text)
    return text
