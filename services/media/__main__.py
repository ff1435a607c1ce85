"""Runs media, or one of its commands: ``python -m services.media [COMMAND …]``."""

import sys

from services.media.settings import MediaSettings

if __name__ == "__main__":
    if len(sys.argv) > 1:
        from libs.chassis.audit.command import run_audit_commands

        sys.exit(run_audit_commands(MediaSettings, sys.argv[1:]))

    from libs.chassis.app import run
    from services.media.app import create_app

    run(create_app, MediaSettings)
