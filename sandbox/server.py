"""Builds the parts of the sandbox and serves it with uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvicorn

from sandbox.asgi_app import Sandbox
from sandbox.credentials import DEFAULT_ACCESS_KEY_ID, DEFAULT_SECRET_ACCESS_KEY, CredentialStore
from sandbox.runtime_changes import change_runtimes
from sandbox.runtime_registry import RuntimeRegistry
from sandbox.runtime_seeds import SEEDED_AT, SeedOptions, make_seeds
from sandbox.saved_changes import SavedChanges

ROLE_NAME = "fedhub-discovery"
# The open connections of a hanging runtime must not keep the process alive.
_SHUTDOWN_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `serve`, from the command line or the tests.

    `latency_ms` is the delay of every AWS and runtime call, in milliseconds. The access key is the hub's own
    credential. `serve` makes the changes in the file `saved_changes_path` again; None saves no changes.
    """

    latency_ms: float = 0.0
    access_key_id: str = DEFAULT_ACCESS_KEY_ID
    secret_access_key: str = field(default=DEFAULT_SECRET_ACCESS_KEY, repr=False)
    seeds: SeedOptions = field(default_factory=SeedOptions)
    saved_changes_path: Path | None = None


def hub_environment(url: str, options: ServeOptions) -> dict[str, str]:
    """Return the environment variables, defined by botocore, that direct a hub to the sandbox at `url`."""
    return {
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL": url,
        "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": url,
        "AWS_ACCESS_KEY_ID": options.access_key_id,
        "AWS_SECRET_ACCESS_KEY": options.secret_access_key,
        "AWS_DEFAULT_REGION": options.seeds.region,
    }


def serve(listener: socket.socket, options: ServeOptions, write: Callable[[str], None]) -> None:
    """Serve on `listener` until an interrupt; `write` gets the banner once."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    registry = RuntimeRegistry()
    for spec in make_seeds(options.seeds):
        registry.add(spec, created_at=SEEDED_AT)
    saved_changes = SavedChanges(options.saved_changes_path) if options.saved_changes_path else None
    if saved_changes is not None:
        saved_changes.replay(partial(change_runtimes, registry))
    credentials = CredentialStore(
        access_key_id=options.access_key_id,
        secret_access_key=options.secret_access_key,
        account=options.seeds.account,
    )
    write(_banner(url, options, len(list(registry))))
    app = Sandbox(registry, credentials, latency_seconds=options.latency_ms / 1000, saved_changes=saved_changes)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=_SHUTDOWN_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])


def _banner(url: str, options: ServeOptions, count: int) -> str:
    role = f"arn:aws:iam::{options.seeds.account}:role/{ROLE_NAME}"
    lines = [
        f"AgentCore sandbox at {url} with {count} runtimes",
        f"  region {options.seeds.region}, role {role}",
        "  these variables direct a hub to it:",
        *(f"    export {name}={value}" for name, value in hub_environment(url, options).items()),
    ]
    return "\n".join(lines)
