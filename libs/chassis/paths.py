"""Ids in paths: what cannot be an id is missing, exactly as what is not there."""

from collections.abc import Callable

from pydantic import AfterValidator

from libs.kernel import NotFoundError, is_id


def id_or(missing: Callable[[], NotFoundError]) -> AfterValidator:
    """Return the check of an id in a path, for its annotation.

    A text that is no id raises the error that the route raises for an unknown one, so
    that both get the same 404. Example::

        ProjectPath = Annotated[ProjectId, id_or(ProjectNotFoundError)]

    Args:
        missing: Makes the route's own error.
    """

    def check(text: str) -> str:
        if not is_id(text):
            raise missing()
        return text

    return AfterValidator(check)
