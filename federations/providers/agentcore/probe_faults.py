"""The faults of a probe in plain words: what happened, and what a person can do about it."""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from federations.providers.agentcore.bounds import clean_error
from federations.providers.base import ProviderError

_REFUSED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_UNKNOWN_CREDENTIALS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
}
_SLOWED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_WORDS = {
    "ListAgentRuntimes": "list the runtimes of",
    "GetAgentRuntime": "describe the runtimes of",
    "ListTagsForResource": "read the tags of the runtimes of",
}
_AGAIN = "Try again in a minute."


def explain(error: BotoCoreError | ClientError, region: str, role_arn: str) -> ProviderError:
    """Return the error of a probe for an error of botocore, with an advice."""
    text, advice = _of_answer(error, region, role_arn) if isinstance(error, ClientError) else _of_way(error, region)
    return ProviderError(clean_error(text), advice=advice)


def out_of_time(region: str) -> ProviderError:
    """Return the error of a probe whose time was over before the listing was complete."""
    return ProviderError(
        f"The listing of {region} took too long for a test.",
        advice="The account may be large or AWS slow. Save, then press Dry run: a dry run has more time.",
    )


def is_refusal(error: BaseException) -> bool:
    """Tell whether AWS refused a call because of permissions, which each further call of this kind meets too."""
    return isinstance(error, ClientError) and _code(error) in _REFUSED


def _of_answer(error: ClientError, region: str, role_arn: str) -> tuple[str, str]:
    """Return text and advice for an error that AWS answered."""
    code, is_role = _code(error), error.operation_name == "AssumeRole"
    if code in _SLOWED:
        return "AWS asks for fewer calls at the moment.", _AGAIN
    if code in _UNKNOWN_CREDENTIALS and is_role:
        return (
            f"AWS does not accept the hub's own credentials ({code}).",
            "Renew the credentials of the hub's process; this form cannot change them.",
        )
    if code in _UNKNOWN_CREDENTIALS:
        return (
            f"The role works, but AWS does not accept its credentials in {region} ({code}).",
            "Some regions are off until the account's owner enables them: enable the region, or pick another one.",
        )
    if code == "RegionDisabledException":
        return (
            f"AWS STS is switched off in {region} for this account.",
            "Enable STS in the region, in the account's IAM.",
        )
    if code in _REFUSED and is_role:
        return (
            f"AWS does not let the hub assume the role {role_arn}.",
            "Check that the role exists, that its trust policy names the account of the hub, and that the policy's "
            "sts:ExternalId is the external id of this federation. The hub's own identity also needs the permission "
            "sts:AssumeRole for this role.",
        )
    if code in _REFUSED:
        word = _WORDS.get(error.operation_name, "read")
        return (
            f"The role works, but it may not {word} {region}.",
            f"Add bedrock-agentcore:{error.operation_name} to the role's permissions. A sync needs "
            "ListAgentRuntimes and GetAgentRuntime, and ListTagsForResource for a tag filter.",
        )
    message = error.response.get("Error", {}).get("Message") or code
    return f"AWS answered to {error.operation_name}: {message}", ""


def _of_way(error: BotoCoreError, region: str) -> tuple[str, str]:
    """Return text and advice for an error on the way to AWS."""
    host = _host(error)
    if isinstance(error, _NO_CREDENTIALS):
        return (
            "The hub has no AWS credentials of its own, so it cannot assume a role.",
            "Give its process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of its instance "
            "or container.",
        )
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return (
            f"{host or 'AWS'} did not answer in time.",
            f"{_AGAIN} If it stays so, check the way from the hub to AWS.",
        )
    if isinstance(error, SSLError):
        return (
            f"The hub does not trust the certificate of {host or 'AWS'}.",
            "If a proxy stands between, give the hub its certificate by AWS_CA_BUNDLE.",
        )
    if isinstance(error, EndpointConnectionError | ProxyConnectionError | ConnectionClosedError | HTTPClientError):
        return (
            f"The hub cannot reach {host or 'AWS'}.",
            f"Check the region: AWS may have no region {region}, or no AgentCore in it. If the region is right, check "
            "the network of the hub and its proxy.",
        )
    return f"AWS could not be asked: {error}", ""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _host(error: BotoCoreError) -> str:
    url = str(getattr(error, "kwargs", {}).get("endpoint_url") or "")
    return urlsplit(url).hostname or ""
