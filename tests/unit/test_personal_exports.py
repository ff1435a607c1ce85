"""What is held on a person is handed to nobody whose session is merely open (MF-6)."""

from importlib import import_module

import pytest

from libs.chassis.security import FreshPrincipal

PREFIX = "/api/v1/me/export/"
OF_OTHERS = ("chat", "media", "notification", "project")
"""Auth, which keeps the sessions, asks its own; see its tests."""


def _exports(service):
    module = import_module(f"services.{service}.api")
    routers = getattr(module, "ROUTERS", None) or [module.router]
    found = [route for router in routers for route in router.routes]
    return [route for route in found if route.path.startswith(PREFIX)]


def _asked(needs):
    yield needs.call
    for one in needs.dependencies:
        yield from _asked(one)


@pytest.mark.parametrize("service", OF_OTHERS)
def test_mf_6_a_part_of_the_export_needs_a_fresh_proof(service):
    """MF-6: a stolen access token alone takes no part of a person along."""
    [route] = _exports(service)
    fresh = FreshPrincipal.__metadata__[0].dependency
    assert fresh in set(_asked(route.dependant))  # codespell:ignore
