"""Filters that the commands on dead letters and on the outbox share."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_filters(parser: ArgumentParser) -> None:
    """Add --type, --reason, --event-id, --older-than, --limit and --dry-run."""
    parser.add_argument("--type", default="", help="only events of this type")
    parser.add_argument("--reason", default="", help="only with this reason")
    parser.add_argument("--event-id", default="", help="only this event")
    parser.add_argument(
        "--older-than", type=span, default=None, metavar="10m", help="s, m, h or d"
    )
    parser.add_argument("--limit", type=int, default=-1, help="at most so many")
    parser.add_argument("--dry-run", action="store_true", help="change nothing")


def span(text: str) -> timedelta:
    """Parse a time such as ``90s``, ``10m``, ``2h`` or ``7d``.

    Raises:
        argparse.ArgumentTypeError: It is something else.
    """
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not number.isdecimal():
        raise ArgumentTypeError(f"not a time such as 10m: {text!r}")
    return timedelta(**{unit: int(number)})
