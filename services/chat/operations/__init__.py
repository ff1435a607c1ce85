"""What an operator runs: ``python -m services.chat COMMAND``.

A command reads the service's own settings, opens what it needs, tells its progress on
stderr and ends with one line of JSON on stdout.
"""

from services.chat.operations.commands import main

__all__ = ["main"]
