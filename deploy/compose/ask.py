"""``python -m deploy.compose.ask URL``: a health check, 0 for an answer of 200."""

import http.client
import sys
import urllib.parse

_SECONDS = 2.5


def is_answered(url: str) -> bool:
    """Tell whether a plain HTTP address answers with 200."""
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
