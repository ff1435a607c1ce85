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
    ClientGoneError,
    MethodNotAllowedError,
    TokenRefusedError,
    TooManyRequestsError,
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
    headers = dict(problem.headers)
    if isinstance(known, MethodNotAllowedError):
        headers[b"allow"] = ", ".join(known.allowed).encode()
    elif isinstance(known, BodyTimeoutError | ClientGoneError):
        # The rest of the body would be read as the next request.
        headers[b"connection"] = b"close"
    elif isinstance(known, TokenRefusedError) and known.code != "token_missing":
        headers[b"www-authenticate"] = b'Bearer error="invalid_token"'
    elif isinstance(known, TooManyRequestsError):
        headers |= dict(known.headers)
    return replace(problem, headers=tuple(headers.items()))


def _with_status(problem: Problem, status: int) -> Problem:
    body = orjson.loads(problem.body)
    body |= {"status": status, "title": HTTPStatus(status).phrase}
    return replace(problem, status=status, body=orjson.dumps(body))
