"""Runs project, or one of its commands: ``python -m services.project [COMMAND …]``."""

import sys

from services.project.settings import ProjectSettings

if __name__ == "__main__":
    if len(sys.argv) > 1:
        from libs.chassis.audit.command import run_audit_commands

        sys.exit(run_audit_commands(ProjectSettings, sys.argv[1:]))

    from libs.chassis.app import run
    from services.project.app import create_app

    run(create_app, ProjectSettings)
