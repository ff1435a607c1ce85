"""Structured logs: structlog, JSON, one handler for us and for libraries.

Our own events and the records of libraries (pymongo, aio_pika, granian) go through the
same processors and end as the same JSON lines. The event is a constant snake_case
string; values are ids and numbers. `redact` is the last line of defence, not a licence.
"""

import asyncio
import json
import logging
import logging.handlers
import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from io import TextIOWrapper
from typing import TYPE_CHECKING

import orjson
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.chassis.redaction import describe_exception, redact
from libs.chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from structlog.typing import ExcInfo

# JSON lets them stand, and a terminal takes some of them for orders (HT-5).
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x80, 0xA0)}
_RENDERED = "parley.rendered"
_LEVEL_NAMES = {"warn": "warning", "exception": "error"}
_OFFSET_LENGTH = len("+00:00")
_now = partial(datetime.now, UTC)  # noqa: TID251 - a line's time is the machine's
_NOISY = ("aiormq", "aio_pika", "pymongo", "asyncio", "urllib3", "botocore", "PIL")
# `libs.events` tells once that a connection is lost; aiormq tells it ten times, and
# picows tells every frame of every socket.
_LEVELS = {
    **dict.fromkeys(_NOISY, "WARNING"),
    "picows": "WARNING",
    "aiormq.connection": "CRITICAL",
}


def configure_logging(settings: ServiceSettings) -> None:
    """Route structlog and the standard library's logging to the service's sink.

    May be called again; the handler before is closed.
    """
    handler = _handler(settings)
    complete = _completing(settings)
    render = _renderer(settings, handler)
    handler.setFormatter(_Formatter([complete, render]))
    _install(handler, settings.log_level)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, complete, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_SinkFactory(handler),
        cache_logger_on_first_use=True,
    )


class _Sink:
    """What structlog writes rendered lines to; shares the libraries' handler."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler

    def msg(self, line: str) -> None:
        record = logging.LogRecord(_RENDERED, 20, "", 0, line, None, None)
        self._handler.handle(record)

    debug = info = warning = error = critical = exception = log = msg


class _FileSink:
    """The same for a file: a line of ours needs no record around it."""

    def __init__(self, file: "_LogFile") -> None:
        self._file = file

    def msg(self, line: str) -> None:
        self._file.write_line(line)

    def info(self, line: str) -> None:
        self._file.write_soon(line)

    debug = info
    warning = error = critical = exception = log = msg


class _SinkFactory:
    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler

    def __call__(self, *_: object) -> WrappedLogger:
        if isinstance(self._handler, _LogFile):
            return _FileSink(self._handler)
        return _Sink(self._handler)


class _Formatter(logging.Formatter):
    """Renders the records of libraries; passes on what structlog rendered."""

    def __init__(self, processors: list[Processor]) -> None:
        super().__init__()
        self._processors = processors

    def format(self, record: logging.LogRecord) -> str:
        if record.name == _RENDERED:
            return str(record.msg)
        event: EventDict = {
            "event": "library_logged",
            "logger": record.name,
            "message": record.getMessage(),
            "exc_info": record.exc_info,
            **structlog.contextvars.get_contextvars(),
        }
        rendered: object = event
        for processor in self._processors:
            rendered = processor(None, record.levelname.lower(), rendered)  # type: ignore[arg-type]  # the chain ends in text
        return str(rendered)


def _completing(settings: ServiceSettings) -> Processor:
    """Return the one step that adds what every line has, and cleans it.

    One and not six: the line of a request is a tenth of what the gateway spends on it.
    """
    fields = {
        "service": settings.service_name(),
        "instance_id": settings.instance_id,
        "environment": settings.environment,
    }

    def complete(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event = {**fields, **event}
        event["level"] = _LEVEL_NAMES.get(method, method)
        event["timestamp"] = f"{_now().isoformat()[:-_OFFSET_LENGTH]}Z"
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event.setdefault("trace_id", f"{context.trace_id:032x}")
            event.setdefault("span_id", f"{context.span_id:016x}")
        if "exc_info" in event:
            event = _exception_fields(event)
        return redact(logger, method, event)

    return complete


def _exception_fields(event: EventDict) -> EventDict:
    error = _exception_of(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = describe_exception(error)
    return event


def _exception_of(
    info: "ExcInfo | BaseException | bool | None",
) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1]
    return sys.exc_info()[1] if info else None


def _renderer(settings: ServiceSettings, handler: logging.Handler) -> Processor:
    stream = getattr(handler, "stream", None)
    is_terminal = settings.log_file is None and bool(stream and stream.isatty())
    if settings.log_format == "console" or (
        settings.log_format == "auto" and is_terminal
    ):
        return structlog.dev.ConsoleRenderer(colors=is_terminal)
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(event: EventDict, **_: object) -> str:
    try:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        return line if line.isascii() else line.translate(_CONTROLS)
    except TypeError:  # an integer of more than 64 bits, half a surrogate pair
        return json.dumps(event, default=str, skipkeys=True)


class _LogFile(logging.handlers.RotatingFileHandler):
    """Counts what it writes; the library's asks the file system twice a line.

    That was a twentieth of the gateway's CPU, and a write for each line another one.
    """

    _size = 0
    _next_line = 0
    _waiting = ""
    _loop: asyncio.AbstractEventLoop | None = None

    def write_line(self, line: str) -> None:
        """Write a rendered line, after what waits; a full disk stops nobody."""
        with self.lock or nullcontext():
            waiting, self._waiting = self._waiting, ""
            try:
                self._write(f"{waiting}{line}\n")
            except (OSError, ValueError):  # ValueError: the file is closed already
                self.handleError(
                    logging.LogRecord(_RENDERED, 20, "", 0, line, None, None)
                )

    def write_soon(self, line: str) -> None:
        """Write a line with the others of this turn of the event loop, if one runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write_line(line)
            return
        with self.lock or nullcontext():
            if not self._waiting or self._loop is not loop:
                loop.call_soon(self._write_waiting)
            self._waiting += f"{line}\n"
            self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; the library calls this with the lock held."""
        try:
            self.write_line(self.format(record))
        except Exception:  # noqa: BLE001 - as the library does
            self.handleError(record)

    def flush(self) -> None:
        """Write what waits; the library calls this before it closes the file."""
        self._write_waiting()
        super().flush()

    def _write_waiting(self) -> None:
        # Taken with the lock held: another thread's line takes what waits too.
        with self.lock or nullcontext():
            if self._waiting:
                lines = self._waiting.removesuffix("\n")
                self._waiting = ""
                self.write_line(lines)

    def _write(self, lines: str) -> None:
        encoded = lines.encode(errors="replace")
        self._next_line = len(encoded)
        self._size += self._next_line
        if self._size > self.maxBytes:
            self.doRollover()
        if self.stream is None:
            self.stream = self._open()
        self.stream.buffer.write(encoded)
        self.stream.buffer.flush()

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        self._size = os.fstat(stream.fileno()).st_size + self._next_line
        return stream


def _handler(settings: ServiceSettings) -> logging.Handler:
    if settings.log_file is None:
        return logging.StreamHandler(sys.stderr)
    settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    return _LogFile(
        settings.log_file,
        maxBytes=settings.log_file_bytes,
        backupCount=settings.log_file_count,
        encoding="utf-8",
    )


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()  # noqa: TID251 - libraries log here
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, quiet in _LEVELS.items():
        logging.getLogger(name).setLevel(quiet)  # noqa: TID251 - a library's own
    logging.captureWarnings(capture=True)
    # Looked up for every record and shown in none.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
