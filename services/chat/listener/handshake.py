"""Who may open a WebSocket: path, transport, origin, room for one more."""

from urllib.parse import parse_qs

from picows import WSUpgradeRequest, WSUpgradeResponse

from libs.chassis.problems import CONTENT_TYPE, HttpError, problem_for
from services.chat.listener.limits import SocketLimits

_POLLING = "Only the WebSocket transport is served."


def refusal(
    request: WSUpgradeRequest, limits: SocketLimits
) -> WSUpgradeResponse | None:
    """Return the answer to a request that is no welcome handshake, else None."""
    path, _, query = request.path.decode("latin-1").partition("?")
    if path not in {limits.path, limits.path.rstrip("/")}:
        return problem_response(404, "not_found", "There is nothing here.")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in limits.allowed_origins:
        return problem_response(403, "origin_forbidden", "This origin may not connect.")
    parameters = parse_qs(query)
    if parameters.get("transport") != ["websocket"] or not _is_upgrade(request):
        return problem_response(400, "transport_unsupported", _POLLING)
    if parameters.get("EIO") != ["4"] or "sid" in parameters:
        return problem_response(
            400, "protocol_unsupported", "Engine.IO 4 without a session is expected."
        )
    return None


def problem_response(status: int, code: str, detail: str) -> WSUpgradeResponse:
    """Return a problem document as the answer to a handshake."""
    problem = problem_for(HttpError(status, code, detail))
    headers = {"Content-Type": CONTENT_TYPE.decode(), "Cache-Control": "no-store"}
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(
        status, problem.body if problem else b"", headers
    )
    return response


def _is_upgrade(request: WSUpgradeRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def client_address(request: WSUpgradeRequest, peer: str) -> str:
    """Return the client's address as the edge tells it, else the peer's own.

    Only the edge reaches the listener, and it overwrites the header.
    """
    return request.headers.get("X-Client-Address") or (
        request.headers.get("X-Real-IP") or peer
    )
