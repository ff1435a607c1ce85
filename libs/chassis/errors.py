"""Failures of a process rather than of a request."""


class StartError(Exception):
    """A service cannot start; the message is one readable line without secrets.

    `libs.chassis.app.run` prints it and ends the process with exit code 1.
    """
