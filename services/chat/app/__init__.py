"""Composition root of chat: everything is opened and put together here."""

from services.chat.app.composition import create_app

__all__ = ["create_app"]
