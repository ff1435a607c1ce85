"""Runs auth, or one of its commands: ``python -m services.auth [COMMAND …]``."""

import sys

from services.auth.settings import AuthSettings

if __name__ == "__main__":
    if len(sys.argv) > 1:
        from services.auth import operations

        sys.exit(operations.main(sys.argv[1:]))

    from libs.chassis.app import run
    from services.auth.app import create_app

    run(create_app, AuthSettings)
