"""Authorization of data-plane requests: a SigV4 signature with the account's credentials, or a bearer token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from federations.providers.agentcore.bearer import BearerKey, mint
from federations.providers.agentcore.control import ControlPlane
from federations.providers.agentcore.enrichment import DescribedRuntime
from federations.providers.agentcore.transport import Authorize, Renew
from federations.providers.base import AgentAddress
from federations.sync.resources import RuntimeAccess

_SERVICE = "bedrock-agentcore"
# The headers that `sign` adds. An earlier attempt at the same request may have set them.
_SIGNATURE_HEADERS = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization")
_SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
# A proxy may rewrite any other header, for example traceparent, and a signature over it would then fail. AWS requires
# that the signature covers host and every x-amz header.
_SIGNED_PREFIXES = ("x-amz", "mcp-", "content-type")


def build_authorize(
    control: ControlPlane, bearer_key: Callable[[], BearerKey], foreign_audiences: Callable[[str], Collection[str]]
) -> Callable[[DescribedRuntime], tuple[Authorize, Renew]]:
    """Build the function that returns `Authorize` and `Renew` of one runtime. Each runtime gets its own session id.

    `foreign_audiences` maps a runtime's ARN to the audiences for which the hub must not give it a token. The built
    function raises TokenRefusedError if the runtime wants a token that the hub must not mint.
    """

    def authorize(described: DescribedRuntime) -> tuple[Authorize, Renew]:
        # AWS refuses session ids of fewer than 33 characters.
        session_id = f"fedhub-{secrets.token_hex(16)}"
        if described.access.mode == "jwt":
            foreign = foreign_audiences(described.runtime.arn)
            return _bearer_authorize(described, session_id, bearer_key, foreign), _renew_nothing
        return _sigv4_authorize(control, session_id), _build_renew(control)

    return authorize


def authorize_calls(
    control: ControlPlane,
    address: AgentAddress,
    bearer_key: Callable[[], BearerKey],
    foreign_audiences: Callable[[str], Collection[str]],
) -> tuple[Authorize, Renew]:
    """Return `Authorize` and `Renew` for the requests of one run, all with the session id of the run.

    Each request gets a new signature or a new token, because a run outlives both. `Authorize` may call AssumeRole. It
    raises TokenRefusedError if the hub must not mint a token for the runtime.
    """
    if address.access.mode == "jwt":

        def authorize(request: httpx2.Request) -> None:
            token = _mint_now(address.access, address.runtime_arn, bearer_key, foreign_audiences(address.runtime_arn))
            request.headers.update({_SESSION_HEADER: address.session_id, "authorization": f"Bearer {token}"})

        return authorize, _renew_nothing

    def renew() -> None:
        control.renew_credentials(control.credentials_generation)

    return _sigv4_authorize(control, address.session_id), renew


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str = _SERVICE,
) -> dict[str, str]:
    """Return the headers that authorize one request by AWS Signature Version 4, dated now.

    `url` is the URL as it is sent, percent-encoding included: botocore encodes the path once more before it signs the
    path, as every service except S3 requires. The signature covers all of `headers` and the returned ones; `host` comes
    from `url` unless `headers` has it. Source: AWS General Reference, "Create a signed AWS API request".
    """
    request = AWSRequest(method, url, {**headers, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()})
    SigV4Auth(credentials, service, region).add_auth(request)
    return {name: request.headers[name] for name in _SIGNATURE_HEADERS if name in request.headers}


def _sigv4_authorize(control: ControlPlane, session_id: str) -> Authorize:
    def authorize(request: httpx2.Request) -> None:
        request.headers[_SESSION_HEADER] = session_id
        covered = {
            name: value
            for name, value in request.headers.items()
            if name == "host" or (name.startswith(_SIGNED_PREFIXES) and name not in _SIGNATURE_HEADERS)
        }
        signature = sign(
            request.method,
            str(request.url),
            covered,
            request.content,
            credentials=control.signing_credentials(),
            region=control.region,
        )
        request.headers.update(signature)

    return authorize


def _bearer_authorize(
    described: DescribedRuntime,
    session_id: str,
    bearer_key: Callable[[], BearerKey],
    foreign_audiences: Collection[str],
) -> Authorize:
    token = _mint_now(described.access, described.runtime.arn, bearer_key, foreign_audiences)

    def authorize(request: httpx2.Request) -> None:
        request.headers.update({_SESSION_HEADER: session_id, "authorization": f"Bearer {token}"})

    return authorize


def _mint_now(
    access: RuntimeAccess, arn: str, bearer_key: Callable[[], BearerKey], foreign_audiences: Collection[str]
) -> str:
    return mint(
        access,
        arn,
        key=bearer_key(),
        now=datetime.now(UTC),
        token_id=secrets.token_hex(16),
        foreign_audiences=foreign_audiences,
    )


def _build_renew(control: ControlPlane) -> Renew:
    generation = control.credentials_generation
    return lambda: control.renew_credentials(generation)


def _renew_nothing() -> None:
    """Do nothing: each conversation has its own token, which expires after the conversation's end."""
