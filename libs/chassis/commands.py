"""What the command lines of services share: settings, quiet logs, exit codes."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from libs.chassis.errors import StartError
from libs.chassis.logging import configure_logging
from libs.chassis.settings import ServiceSettings, load_settings
from libs.crypto import KeyRingError
from libs.kernel import AppError


def run_command(
    parser: ArgumentParser,
    settings_class: type[ServiceSettings],
    arguments: Sequence[str],
) -> int:
    """Run the command that a parser finds, as ``await run(arguments, settings)``.

    Args:
        parser: Sets ``run``, a coroutine function, as a default of each command.
        settings_class: The service's.
        arguments: Of the command line.

    Returns:
        0 done, 1 something was found or is pending, 2 it failed, 130 interrupted.
    """
    parsed = parser.parse_args(arguments)
    try:
        return asyncio.run(_run(parsed, settings_class))
    except KeyboardInterrupt:
        return 130
    except (StartError, KeyRingError, AppError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2


async def _run(arguments: Namespace, settings_class: type[ServiceSettings]) -> int:
    settings = load_settings(settings_class)
    # To stderr: stdout is the result's, and the log file the service's.
    quiet = {"log_file": None, "log_level": "warning"}
    configure_logging(settings.model_copy(update=quiet))
    code: int = await arguments.run(arguments, settings)
    return code
