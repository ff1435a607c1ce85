"""The version that logs and metrics name; a test keeps it equal to pyproject's."""

VERSION = "0.1.0"
