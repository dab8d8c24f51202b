"""Opens the port of the sandbox, in a module that is quick to import."""

from __future__ import annotations

import socket

_BACKLOG = 1024


class PortTakenError(OSError):
    """Another program listens on the port."""


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a loopback port, a free one if `port` is 0; raise PortTakenError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"port {port} is taken; choose another with --port") from error
    listener.listen(_BACKLOG)
    return listener
