"""Prefect's server for `make up`: the server of the package, behind a check of the Host header.

A page in a browser can reach a server on loopback under a name of its own (DNS rebinding). Prefect checks the login,
the origin and a CSRF token where its settings ask for them, but not the name by which it was called.
"""

from __future__ import annotations

import sys

import uvicorn
from prefect.server.api.server import create_app
from starlette.middleware.trustedhost import TrustedHostMiddleware

HOSTS = ["127.0.0.1", "localhost"]


def serve(port: int) -> None:
    """Runs the server and its services on loopback until it is told to end. The environment has its settings."""
    app = TrustedHostMiddleware(create_app(final=True), allowed_hosts=HOSTS)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
