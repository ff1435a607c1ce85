"""A server's account is read again whenever a connection is made (SE-1).

An account proves itself once a connection, so an open one goes on with what it was
opened with; the next one takes what the secret's file holds by then.
"""

from collections.abc import Callable

import structlog
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from libs.chassis.errors import StartError
from libs.chassis.settings import load_plain
from libs.kernel import Clock, SystemClock

_READ_SECONDS = 1.0
_log = structlog.get_logger(__name__)


def live_secret(
    settings: BaseSettings, name: str, clock: Clock | None = None
) -> Callable[[], str]:
    """Return what tells a secret of the settings as it stands now.

    It is looked for where it was found at the start, at most once a second. What
    cannot be read, or is gone, changes nothing.

    Args:
        settings: As they were read at the start.
        name: Of a field that is a `SecretStr`.
        clock: Measures the second.
    """
    return _LiveSecret(settings, name, clock or SystemClock()).text


class _LiveSecret:
    def __init__(self, settings: BaseSettings, name: str, clock: Clock) -> None:
        self._kind = type(settings)
        self._name = name
        self._clock = clock
        self._known: SecretStr = getattr(settings, name)
        self._read_at = clock.monotonic()

    def text(self) -> str:
        now = self._clock.monotonic()
        if now - self._read_at >= _READ_SECONDS:
            self._read_at = now
            self._read()
        return self._known.get_secret_value()

    def _read(self) -> None:
        try:
            found: SecretStr | None = getattr(load_plain(self._kind), self._name)
        except StartError as error:
            _log.warning("secret_not_read", name=self._name, error=str(error))
            return
        if found and found != self._known:  # one that is empty is none
            self._known = found
            _log.info("secret_renewed", name=self._name)
