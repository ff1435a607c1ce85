"""Runs chat, or one of its commands: ``python -m services.chat [COMMAND …]``."""

import sys

from services.chat.settings import ChatSettings

if __name__ == "__main__":
    if len(sys.argv) > 1:
        from services.chat import operations

        sys.exit(operations.main(sys.argv[1:]))

    from libs.chassis.app import run
    from services.chat.app import create_app

    run(create_app, ChatSettings)
