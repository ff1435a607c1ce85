"""Start auth: ``python -m services.auth``."""

from libs.chassis.app import run
from services.auth.app import create_app
from services.auth.settings import AuthSettings

if __name__ == "__main__":
    run(create_app, AuthSettings)
