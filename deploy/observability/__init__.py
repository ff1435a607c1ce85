"""Monitoring as code: alert rules with their tests, dashboards, the collector."""
