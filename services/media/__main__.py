"""``python -m services.media``: one media process."""

from libs.chassis.app import run
from services.media.app import create_app
from services.media.settings import MediaSettings

if __name__ == "__main__":
    run(create_app, MediaSettings)
