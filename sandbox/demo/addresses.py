"""The ports of the demo, and the environment variables of its two hubs."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

from core import environment
from sandbox.client import DEFAULT_URL
from sandbox.credentials import DEFAULT_ACCESS_KEY_ID, DEFAULT_SECRET_ACCESS_KEY

HOST = "127.0.0.1"
REGION = "us-east-1"


class PortBusyError(Exception):
    """A port of the demo is in use; the message names the variable to set."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ports of the demo's servers, and the URL of each server."""

    hub_port: int
    sandbox_port: int
    partner_port: int

    @property
    def hub_url(self) -> str:
        """Return the hub's origin."""
        return f"http://{HOST}:{self.hub_port}"

    @property
    def partner_url(self) -> str:
        """Return the origin of the second hub."""
        return f"http://{HOST}:{self.partner_port}"

    @property
    def sandbox_url(self) -> str:
        """Return the sandbox's origin."""
        return f"http://{HOST}:{self.sandbox_port}"

    def environ(self) -> dict[str, str]:
        """Return the variables of the first hub, which direct its AWS calls to the sandbox."""
        return {
            "FEDHUB_SERVER_URL": self.hub_url,
            "AWS_ENDPOINT_URL_STS": self.sandbox_url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL": self.sandbox_url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": self.sandbox_url,
            "AWS_ACCESS_KEY_ID": DEFAULT_ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": DEFAULT_SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "FEDHUB_SANDBOX_URL": self.sandbox_url,
            # The hubs reach each other on loopback, and the agents that they discover work on their intents.
            "FEDHUB_ENABLED": "true",
            # A request that syncs waits in its thread for the cloud.
            "FEDHUB_WEB_THREADS": "8",
            "FEDHUB_ACCESS_LOG": "true",
            "FEDHUB_ALLOWED_NETWORKS": "127.0.0.0/8",
        }

    def partner_environ(self, var_dir: Path) -> dict[str, str]:
        """Return the variables of the second hub, which keeps all its files in `var_dir`."""
        own = {"FEDHUB_SERVER_URL": self.partner_url, "FEDHUB_VAR_DIR": str(var_dir), "FEDHUB_WORKER_PROCESSES": "1"}
        return self.environ() | dict.fromkeys(SEPARATE_VARIABLES, "") | own


_SECRETS = ("DATABASE_URL", "MONGODB_URI", "CELERY_BROKER_URL", "SECRET_KEY", "FEDHUB_SECRETS_KEY")
# The variables that two hubs must not share. With an empty value a hub uses its own FEDHUB_VAR_DIR.
SEPARATE_VARIABLES = (
    *_SECRETS,
    *(f"{name}_FILE" for name in _SECRETS),
    "SEARCH_PATH",
    "WEAVIATE_URL",
    "FEDHUB_KEY_PATH",
    "FEDHUB_OIDC_KEY_PATH",
)

# A developer's own profile or session would take precedence over the demo's access key.
REMOVED_AWS_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


def find_addresses() -> Addresses:
    """Read FEDHUB_PORT, FEDHUB_PARTNER_PORT and FEDHUB_SANDBOX_PORT, and return the addresses.

    Raises PortBusyError if a port is in use, ImproperlyConfigured if a value is not a port.
    """
    addresses = Addresses(
        hub_port=environment.integer("FEDHUB_PORT", default=8000, minimum=1, maximum=65_535),
        sandbox_port=environment.integer(
            "FEDHUB_SANDBOX_PORT", default=urlsplit(DEFAULT_URL).port or 0, minimum=1, maximum=65_535
        ),
        partner_port=environment.integer("FEDHUB_PARTNER_PORT", default=8001, minimum=1, maximum=65_535),
    )
    ports = {
        "FEDHUB_PORT": addresses.hub_port,
        "FEDHUB_PARTNER_PORT": addresses.partner_port,
        "FEDHUB_SANDBOX_PORT": addresses.sandbox_port,
    }
    for (name, port), (other_name, other_port) in combinations(ports.items(), 2):
        if port == other_port:
            raise PortBusyError(f"{name} and {other_name} are both {port}.")
    for name, port in ports.items():
        if not _is_free(port):
            raise PortBusyError(f"Port {port} is in use. Set {name} to another: {name}={_free_port()} make demo")
    return addresses


def shell_exports(variables: Mapping[str, str]) -> str:
    """Return the content of a file that a shell reads with `.` to set `variables`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Servers set this option too: a recently closed connection does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
