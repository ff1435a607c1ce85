"""``python -m libs.chassis.probe PORT``: ask a service here whether it is alive.

A container's health check: one request to ``/health/live``, status 0 when it is
answered with 200. It imports little, as it runs every few seconds.
"""

import http.client
import sys

_SECONDS = 2.5


def is_alive(port: int) -> bool:
    """Tell whether the service at a port of 127.0.0.1 says that it is alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(sys.argv[1])) else 1)
