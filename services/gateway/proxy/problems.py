"""One shape for every error, whoever made it."""

from dataclasses import replace
from http import HTTPStatus

import orjson

from libs.chassis.problems import (
    Problem,
    expected,
    internal_problem,
    problem_of,
)
from libs.kernel import AppError
from services.gateway.domain.errors import (
    BodyTimeoutError,
    MethodNotAllowedError,
    UpstreamFailedError,
    UpstreamTimeoutError,
)

# What an error's kind is too coarse for: HTTP's own statuses of a gateway.
_STATUS: dict[type[AppError], int] = {
    BodyTimeoutError: 408,
    MethodNotAllowedError: 405,
    UpstreamFailedError: 502,
    UpstreamTimeoutError: 504,
}


def problem_for(error: Exception) -> Problem:
    """Return the answer to an error; what nobody expected tells nothing."""
    known = expected(error)
    if known is None:
        return internal_problem()
    problem = problem_of(known)
    status = _STATUS.get(type(known))
    if status is not None:
        problem = _with_status(problem, status)
    if isinstance(known, MethodNotAllowedError):
        allow = (b"allow", ", ".join(known.allowed).encode())
        problem = replace(problem, headers=(*problem.headers, allow))
    if isinstance(known, BodyTimeoutError):
        # The rest of the body would be read as the next request.
        problem = replace(
            problem, headers=(*problem.headers, (b"connection", b"close"))
        )
    return problem


def _with_status(problem: Problem, status: int) -> Problem:
    body = orjson.loads(problem.body)
    body |= {"status": status, "title": HTTPStatus(status).phrase}
    return replace(problem, status=status, body=orjson.dumps(body))
