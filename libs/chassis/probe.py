"""``python -m libs.chassis.probe URL``: a container's health check.

One request, status 0 when it is answered with 200; of a service, the address is
``/health/live``. It imports little, as it runs every few seconds.
"""

import http.client
import sys
import urllib.parse

_SECONDS = 2.5


def is_answered(url: str) -> bool:
    """Tell whether a plain HTTP address answers with 200 within seconds."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_answered(sys.argv[1]) else 1)
