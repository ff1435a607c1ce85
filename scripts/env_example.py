"""Write .env.example from the settings classes of every service, or check it.

With ``--check`` nothing is written; the exit status is 1 where the file differs from
what the classes say, so that no setting stays undocumented.
"""

import importlib
import sys
from pathlib import Path

from libs.chassis.env_example import SettingUndocumentedError, render_env_example
from libs.chassis.settings import ServiceSettings

TARGET = Path(".env.example")
SERVICES = ("gateway", "auth", "project", "chat", "media", "notification")


def settings_classes() -> list[type[ServiceSettings]]:
    """Return the one settings class of each service, in the order of the house."""
    found: list[type[ServiceSettings]] = []
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, ServiceSettings)
            and value.__module__ == module.__name__
        ]
    return found


def main(arguments: list[str]) -> int:
    """Write or check; return the exit status."""
    try:
        text = render_env_example(settings_classes())
    except SettingUndocumentedError as error:
        print(error)
        return 1
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET} does not show every setting: run `make docs`")
    return 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(sys.argv[1:]))
