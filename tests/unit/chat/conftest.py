"""Chat's routes, for the tests that ask through its doors."""

import pytest

from tests.unit.chat.matrix_app import MatrixRoutes


@pytest.fixture(scope="session")
def routes(tmp_path_factory) -> MatrixRoutes:
    """The routes, which keep nothing from one test to the next."""
    return MatrixRoutes(tmp_path_factory.mktemp("routes"))
