"""Ask the hub of this container for a health check; the exit status is 0 if it answers 200.

The hub refuses a Host that ALLOWED_HOSTS does not name, so the request names the first of them.
"""

from __future__ import annotations

import http.client
import os
import sys

PORT = 8000
SECONDS = 4.5


def main(path: str) -> int:
    """Return the exit status."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip() or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host.removeprefix(".")})
        return int(connection.getresponse().status != 200)
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
