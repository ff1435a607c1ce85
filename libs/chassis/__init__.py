"""Chassis: what makes services alike.

Settings, app factory, server loop, errors, logs, metrics, traces, health, security and
clients. Import the modules by name (`libs.chassis.app`, ...): this package imports
nothing, so a tool that needs the settings does not load a web framework.
"""
