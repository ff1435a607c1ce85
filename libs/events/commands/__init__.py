"""The administrator's command line: ``python -m libs.events``."""
