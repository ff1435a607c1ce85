"""Start project: ``python -m services.project``."""

from libs.chassis.app import run
from services.project.app import create_app
from services.project.settings import ProjectSettings

if __name__ == "__main__":
    run(create_app, ProjectSettings)
