"""Ask this container's process whether it is well; the exit status is 1 if it is not.

For Docker's HEALTHCHECK and for `exec` probes: only Python itself, and no proxy that a container's
environment may name.
"""

import http.client
import os
import sys

EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what the process was given, not what is listened at


def main() -> str | None:
    """Return why the process is not well, or None."""
    host = os.environ.get("CRONSTREAM_WEB_BIND", "")
    port = int(os.environ.get("CRONSTREAM_WEB_PORT") or 6066)
    asked = http.client.HTTPConnection("127.0.0.1" if host in EVERYWHERE else host, port, timeout=2)
    try:
        asked.request("GET", "/health")
        answer = asked.getresponse()
        said = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no answer at port {port}: {error}"
    return None if answer.status == http.client.OK else said


if __name__ == "__main__":
    sys.exit(main())
