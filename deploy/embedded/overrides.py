"""Settings of services that the operator lays over the stack's own table.

Two sources: variables with a service's prefix that were exported when the supervisor
was started, and over them the file ``overrides.env`` in the stack's folder, read at
every start of a service.
"""

import os
from collections.abc import Mapping

from deploy.embedded.errors import StackError
from deploy.embedded.layout import Stack
from deploy.embedded.passwords import SERVICES

FILE_NAME = "overrides.env"
_QUOTES = ("'", '"')


def overrides_of(
    stack: Stack, service: str, exported: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what the operator has laid over a service's settings.

    Args:
        stack: Its stack.
        service: A name of `passwords.SERVICES`.
        exported: Variables of the command that started the supervisor; None: of
            this process.

    Raises:
        StackError: A line of the file is none of ``NAME=value``, comment and empty,
            or its name begins with no service's prefix.
    """
    variables = os.environ if exported is None else exported
    return {
        name: value
        for name, value in {**variables, **_read(stack)}.items()
        if name.startswith(_prefix(service))
    }


def _prefix(service: str) -> str:
    return f"{service.upper()}_"


def _read(stack: Stack) -> dict[str, str]:
    path = stack.root / FILE_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    prefixes = tuple(_prefix(service) for service in SERVICES)
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name.startswith(prefixes):
            # Not the line itself: it may hold a secret.
            raise StackError(
                f"{path}, line {number}: NAME=value is wanted, with a name that "
                f"begins with one of {', '.join(prefixes)}"
            )
        values[name] = _unquoted(value)
    return values


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1] if is_quoted else value
