"""Start notification: ``python -m services.notification``."""

from libs.chassis.app import run
from services.notification.app import create_app
from services.notification.settings import NotificationSettings

if __name__ == "__main__":
    run(create_app, NotificationSettings)
