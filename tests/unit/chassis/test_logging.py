"""Logs: one JSON form for all, rotated, and empty of secrets."""

import asyncio
import itertools
import json
import logging
import sys

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from libs.chassis.logging import configure_logging
from libs.chassis.redaction import REDACTED, describe_exception, redact
from libs.kernel import UnavailableError

COUNT = 1000
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"


@pytest.fixture
def logs():
    """No capture here: the real chain is under test."""


@pytest.fixture
def log_file(settings, tmp_path):
    """The service's log in a file; everything is put back afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    path = tmp_path / "logs" / "demo.log"
    for handler in handlers:  # pytest's own: ours must not close them
        root.removeHandler(handler)
    configure_logging(
        settings.model_copy(update={"log_file": path, "log_format": "auto"})
    )
    yield path
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def lines(path):
    """Parse the log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_our_events_are_json_with_the_services_fields(log_file):
    """Event, level, time, service, and what was bound."""
    structlog.contextvars.bind_contextvars(correlation_id="c1")
    structlog.get_logger().info("message_stored", seq=7)
    (line,) = lines(log_file)
    assert line["event"] == "message_stored"
    assert line["seq"] == 7
    assert line["level"] == "info"
    assert line["service"] == "demo"
    assert line["environment"] == "test"
    assert line["correlation_id"] == "c1"
    assert line["timestamp"].endswith("Z")


def test_libraries_log_through_the_same_chain(log_file):
    """A record of the standard library becomes the same kind of line."""
    structlog.contextvars.bind_contextvars(request_id="r1")
    logging.getLogger("pymongo.x").warning("retry %s with %s", "a", JWT)
    (line,) = lines(log_file)
    assert line["event"] == "library_logged"
    assert line["logger"] == "pymongo.x"
    assert line["message"] == f"retry a with {REDACTED}"
    assert line["request_id"] == "r1"
    assert line["level"] == "warning"


def test_noisy_libraries_are_quiet_below_warning(log_file):
    """Connection chatter is no event of ours."""
    logging.getLogger("aiormq.connection").info("connected")
    structlog.get_logger().debug("too_fine")
    assert lines(log_file) == [] if log_file.exists() else True


def test_what_others_tell_once_libraries_do_not_repeat(log_file):
    """A lost broker is one line of `libs.events`, not ten of aiormq."""
    logging.getLogger("aiormq.connection").error("connection lost")
    logging.getLogger("picows").info("frame")
    logging.getLogger("aiormq.channel").error("shown")
    logging.getLogger("picows").warning("shown")
    assert [line["message"] for line in lines(log_file)] == ["shown", "shown"]


def test_the_current_span_is_named(log_file):
    """A line can be found from a trace and back."""
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        structlog.get_logger().info("traced")
    (line,) = lines(log_file)
    assert line["trace_id"] == f"{1:032x}"
    assert line["span_id"] == f"{2:016x}"


def test_an_exception_is_class_and_place_without_message_or_locals(log_file):
    """A value in a message or in a frame's locals must not get out."""
    marker = "marker-in-a-local"
    try:
        int(marker)
    except ValueError:
        structlog.get_logger().exception("it_failed")
        logging.getLogger("library").exception("broke")
    text = log_file.read_text()
    assert marker not in text
    ours, theirs = lines(log_file)
    for line in (ours, theirs):
        assert line["exception"][0]["class"] == "builtins.ValueError"
        assert "test_logging.py" in line["exception"][0]["frames"][-1]
        assert "message" not in line["exception"][0]


def test_files_rotate_by_size(settings, log_file):
    """Size and count come from the settings."""
    configure_logging(
        settings.model_copy(
            update={"log_file": log_file, "log_file_bytes": 10_000, "log_file_count": 2}
        )
    )
    for number in range(500):
        structlog.get_logger().info("filled", number=number)
    names = sorted(path.name for path in log_file.parent.iterdir())
    assert names == ["demo.log", "demo.log.1", "demo.log.2"]
    assert all(path.stat().st_size <= 10_000 for path in log_file.parent.iterdir())


async def test_lines_of_one_turn_are_written_together(log_file):
    """A turn of the loop is one write, in order; what goes wrong waits for none."""
    logger = structlog.get_logger()
    logger.info("first")
    logger.debug("unseen")
    logging.getLogger("libs").info("between")
    logger.info("second")
    assert [line["event"] for line in lines(log_file)] == ["first", "library_logged"]
    logger.info("third")
    logger.warning("wrong")
    logger.info("fourth")
    assert [line["event"] for line in lines(log_file)][2:] == [
        "second",
        "third",
        "wrong",
    ]
    await asyncio.sleep(0)
    assert lines(log_file)[-1]["event"] == "fourth"


async def test_lines_of_threads_and_of_the_loop_are_each_written_once(log_file):
    """Whoever writes first takes what waits with it, and nobody takes it again."""
    logger = structlog.get_logger()

    def warn() -> None:
        for number in range(COUNT):
            logger.warning("of_a_thread", number=number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = asyncio.create_task(asyncio.to_thread(warn))
        for number in range(COUNT):
            logger.info("of_the_loop", number=number)
            await asyncio.sleep(0)
        await thread
    finally:
        sys.setswitchinterval(interval)
    for name in ("of_a_thread", "of_the_loop"):
        numbers = [one["number"] for one in lines(log_file) if one["event"] == name]
        assert numbers == list(range(COUNT))


def test_a_loop_that_ended_leaves_no_line_behind(settings, log_file):
    """What its last turn logged is there with the next line, or when the file ends."""

    async def end(event):
        structlog.get_logger().info(event)
        asyncio.get_running_loop().stop()

    for event in ("first", "second"):
        loop = asyncio.new_event_loop()
        task = loop.create_task(end(event))
        loop.run_forever()
        loop.close()
        assert task.done()
    configure_logging(settings)
    assert [line["event"] for line in lines(log_file)] == ["first", "second"]


def test_unserialisable_values_do_not_break_a_line(log_file):
    """A log call never fails its caller."""
    structlog.get_logger().info("odd", value=object(), raw=b"abc", s={1})
    structlog.get_logger().info("odder", big=2**80, half="\ud800")
    line, other = lines(log_file)
    assert other["big"] == 2**80
    assert line["raw"] == "[3 bytes]"
    assert line["value"].startswith("<object")


def test_without_a_file_lines_go_to_stderr(settings, log_file, monkeypatch, capsys):
    """As containers expect it; console form when asked for."""
    configure_logging(settings)
    structlog.get_logger().info("shown")
    assert json.loads(capsys.readouterr().err)["event"] == "shown"
    configure_logging(settings.model_copy(update={"log_format": "console"}))
    structlog.get_logger().info("shown_again")
    assert "shown_again" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logging(settings)
    structlog.get_logger().info("coloured")
    assert "\x1b[" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "console"])
def test_ht_5_a_value_gives_no_terminal_orders(settings, log_file, capsys, form):
    """HT-5: no escape sequence and no further line, in both forms, of libraries too."""
    hostile = "\x1b[2J\x1b]0;owned\x07\r\nlevel=critical\x9b31m"
    configure_logging(settings.model_copy(update={"log_format": form}))
    structlog.get_logger().info("name_refused", name=hostile)
    logging.getLogger("some.library").warning("refused %s", hostile)
    said = capsys.readouterr().err.rstrip("\n").splitlines()
    assert [line.isprintable() for line in said] == [True, True]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password",
        "authorization",
        "set-cookie",
        "refresh_token",
        "text",
        "smtp_password",
        "device_token",
        "email",
        "key",
        "client_secret",
        "content",
    ],
)
def test_values_under_secret_names_are_replaced(name):
    """Whatever the value is."""
    assert redact(None, "", {name: "hunter2"}) == {name: REDACTED}
    nested = redact(None, "", {"extra": [{name: ["hunter2"]}]})
    assert nested == {"extra": [{name: REDACTED}]}


@pytest.mark.parametrize(
    "name", ["key_id", "token_type", "text_length", "code", "event"]
)
def test_harmless_names_are_kept(name):
    """Ids and codes are what logs are for."""
    assert redact(None, "", {name: "v"}) == {name: "v"}


def test_secret_forms_inside_texts_are_replaced():
    """Tokens and accounts in addresses, wherever they stand."""
    cleaned = redact(
        None,
        "",
        {
            "message": f"Bearer {JWT} for mongodb://chat:hunter2@127.0.0.1:1/x",
            "url": "amqp://u:hunter2@h/",
            "plain": "https://h/path and a@b",
        },
    )
    assert "hunter2" not in str(cleaned)
    assert "c2lnbmF0dXJl" not in str(cleaned)
    assert cleaned["message"].endswith("@127.0.0.1:1/x")
    assert cleaned["plain"] == "https://h/path and a@b"


def test_deep_values_end():
    """Redaction does not follow structures for ever."""
    deep = {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}
    assert redact(None, "", deep) == deep


def chained(*errors):
    """Chain exceptions, each the cause of the one before."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_a_chain_of_exceptions_is_told_outermost_first():
    """With messages only where they are harmless."""
    described = describe_exception(
        chained(
            RuntimeError("a programmer's sentence"),
            UnavailableError("store_away", "sentence"),
            KeyError("private"),
        )
    )
    assert [entry["class"].rpartition(".")[2] for entry in described] == [
        "RuntimeError",
        "UnavailableError",
        "KeyError",
    ]
    assert [entry.get("message") for entry in described] == [
        "a programmer's sentence",
        "store_away",
        None,
    ]


def test_groups_and_suppressed_causes_are_understood():
    """Parts of a group are told; a suppressed context is not."""
    group = ExceptionGroup("private", [OSError(2, "No such file"), ValueError("x")])
    (described,) = describe_exception(group)
    assert described["group"][0][0]["message"] == "No such file"
    assert "private" not in str(described)
    hiding = TypeError("y")
    hiding.__context__ = KeyError("x")
    assert len(describe_exception(hiding)) == 2
    hiding.__suppress_context__ = True
    assert len(describe_exception(hiding)) == 1


def test_a_loop_of_causes_ends():
    """Exceptions may be chained in a circle."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert len(describe_exception(first)) == 2
