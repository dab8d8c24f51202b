"""How the hub proves itself to a runtime: SigV4 with the account's credentials, or a token of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import httpx2

from federations.providers.agentcore.bearer import BearerKey, mint
from federations.providers.agentcore.control import ControlPlane
from federations.providers.agentcore.enrichment import Described
from federations.providers.agentcore.sigv4 import Scope, sign
from federations.providers.agentcore.transport import Authorize, Renew

_SERVICE = "bedrock-agentcore"
_SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
# What a proxy may rewrite is left out of the signature; AWS asks for host and every x-amz header.
_SIGNED_PREFIXES = ("x-amz", "mcp-", "content-type")


def authorizer(
    control: ControlPlane, bearer_key: Callable[[], BearerKey], foreign_audiences: Callable[[str], Collection[str]]
) -> Callable[[Described], tuple[Authorize, Renew]]:
    """Return what makes the signer of one runtime; each runtime gets a session of its own.

    `foreign_audiences` tells of a runtime, by its ARN, for which audiences it may be given no token.
    """

    def authorize(described: Described) -> tuple[Authorize, Renew]:
        # AWS refuses session ids of fewer than 33 characters.
        session_id = f"fedhub-{secrets.token_hex(16)}"
        if described.access.mode == "jwt":
            foreign = foreign_audiences(described.runtime.arn)
            return _with_bearer(described, session_id, bearer_key, foreign), _keep
        return _with_sigv4(control, session_id), _renewal(control)

    return authorize


def _with_sigv4(control: ControlPlane, session_id: str) -> Authorize:
    scope = Scope(region=control.region, service=_SERVICE)

    def authorize(request: httpx2.Request) -> None:
        request.headers[_SESSION_HEADER] = session_id
        covered = {
            name: value
            for name, value in request.headers.items()
            if name == "host" or (name.startswith(_SIGNED_PREFIXES) and name not in _REPLACED)
        }
        key, now = control.signing_key(), datetime.now(UTC)
        request.headers.update(
            sign(request.method, str(request.url), covered, request.content, key=key, scope=scope, now=now)
        )

    return authorize


# Set by an earlier attempt at the same request.
_REPLACED = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}


def _with_bearer(
    described: Described,
    session_id: str,
    bearer_key: Callable[[], BearerKey],
    foreign_audiences: Collection[str],
) -> Authorize:
    token = mint(
        described.access,
        described.runtime.arn,
        key=bearer_key(),
        now=datetime.now(UTC),
        token_id=secrets.token_hex(16),
        foreign_audiences=foreign_audiences,
    )

    def authorize(request: httpx2.Request) -> None:
        request.headers.update({_SESSION_HEADER: session_id, "authorization": f"Bearer {token}"})

    return authorize


def _renewal(control: ControlPlane) -> Renew:
    generation = control.credentials_generation
    return lambda: control.renew_credentials(generation)


def _keep() -> None:
    """A token is minted for each conversation and outlives it."""
