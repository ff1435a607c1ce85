"""Runs chat: ``python -m services.chat``."""

from libs.chassis.app import run
from services.chat.app import create_app
from services.chat.settings import ChatSettings

run(create_app, ChatSettings)
