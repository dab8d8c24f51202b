"""The client of AgentCore's control plane (AWS service `bedrock-agentcore-control`), on botocore."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypedDict, TypeVar, cast
from urllib.parse import quote

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.paginate import Paginator
from botocore.parsers import ResponseParserError

from federations.providers.agentcore.credentials import create_session, own_credentials, role_credentials
from federations.sync.resources import JsonObject, Runtime

T = TypeVar("T")

_PAGE_SIZE = 100
_EXPIRED_CODES = {"ExpiredTokenException", "ExpiredToken", "RequestExpired"}


class UnreadableAnswerError(BotoCoreError):
    """Raised for a response that does not fit botocore's model of the service, such as the error page of a proxy."""

    fmt = "The answer cannot be read: {reason}"


@dataclass(frozen=True, slots=True)
class RuntimeSummary:
    """One runtime in the result of AWS ListAgentRuntimes, as `ControlPlane.list_runtimes` returns it.

    The provider compares `version` and `last_updated_at` with the last observation to see whether the runtime changed.
    """

    runtime_id: str
    arn: str
    name: str
    version: str
    status: str
    last_updated_at: datetime


class _Client(Protocol):
    """The methods of botocore's generated client that this module calls."""

    def get_agent_runtime(self, **wanted: str) -> dict[str, object]: ...

    def list_tags_for_resource(self, **wanted: str) -> _Tags: ...

    def get_paginator(self, operation_name: str) -> Paginator[dict[str, list[dict[str, object]]]]: ...


class _Tags(TypedDict, total=False):
    tags: dict[str, str]


class ControlPlane:
    """The client of the control plane of one AWS account and region; each discovery makes one.

    It serves `concurrency` threads at the same time. With a `role_arn` it assumes that role and sends `external_id` to
    AWS; without a `role_arn` it uses the hub's own credentials. `config` has botocore's waits and retries; its default
    is patient, as a sync in the background can be.
    """

    def __init__(
        self, region: str, role_arn: str, external_id: str, *, concurrency: int, config: Config | None = None
    ) -> None:
        self.region = region
        config = config or _client_config(concurrency)
        self._credentials = role_credentials(role_arn, region, external_id, config) if role_arn else own_credentials()
        self._session = create_session(self._credentials)
        client = self._session.create_client("bedrock-agentcore-control", region_name=region, config=config)
        self._client = cast("_Client", client)

    def list_runtimes(self, after_page: Callable[[], None] = lambda: None) -> list[RuntimeSummary]:
        """List every runtime, each id once (AWS ListAgentRuntimes, all pages).

        `after_page` is called after each page and may raise an exception to stop. Raises botocore's ClientError or
        BotoCoreError if any page fails.
        """
        by_id = self._call_with_renewal(lambda: {runtime.runtime_id: runtime for runtime in self._pages(after_page)})
        return list(by_id.values())

    def get_runtime(self, runtime_id: str, version: str | None = None) -> Runtime:
        """Return the description of one runtime (AWS GetAgentRuntime), by default of its newest version."""
        wanted = {"agentRuntimeId": runtime_id}
        if version:
            wanted["agentRuntimeVersion"] = version
        return self._call_with_renewal(lambda: _full_runtime(self._client.get_agent_runtime(**wanted)))

    def tags(self, arn: str) -> dict[str, str]:
        """Return a runtime's tags (AWS ListTagsForResource)."""
        answer = self._call_with_renewal(lambda: self._client.list_tags_for_resource(resourceArn=arn))
        return dict(answer.get("tags") or {})

    def signing_credentials(self) -> Credentials:
        """Return the credentials that sign a data-plane request now. May call AssumeRole.

        The repr of botocore's frozen credentials, a named tuple, shows the secret key. The repr of `Credentials` does
        not.
        """
        frozen = self._credentials.get_frozen_credentials()
        return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or None)

    @property
    def credentials_generation(self) -> int:
        """Return the number of times that credentials were fetched."""
        return self._credentials.generation

    def renew_credentials(self, generation: int) -> None:
        """Let the next signature fetch new credentials, unless a thread fetched them after `generation`."""
        self._credentials.renew(generation)

    def data_plane_url(self) -> str:
        """Return the origin of the data plane, from AWS's endpoint variable or from the domain of the partition."""
        client = self._session.create_client("bedrock-agentcore", region_name=self.region)
        return str(client.meta.endpoint_url).rstrip("/")

    def ca_bundle(self) -> str | None:
        """Return the path of the CA bundle that botocore is configured to trust (AWS_CA_BUNDLE), or None."""
        bundle = self._session.get_config_variable("ca_bundle")
        return str(bundle) if bundle else None

    def _pages(self, after_page: Callable[[], None]) -> Iterator[RuntimeSummary]:
        paginator = self._client.get_paginator("list_agent_runtimes")
        for page in paginator.paginate(PaginationConfig={"PageSize": _PAGE_SIZE}):
            yield from (_listed_runtime(item) for item in page["agentRuntimes"])
            after_page()

    def _call_with_renewal(self, call: Callable[[], T]) -> T:
        """Call and read the answer. If AWS says that the credentials expired, renew them and call once more."""
        generation = self._credentials.generation
        try:
            return _read_answer(call)
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") not in _EXPIRED_CODES:
                raise
            self._credentials.renew(max(generation, 1))
            return _read_answer(call)


def invocation_url(origin: str, arn: str, path: str = "") -> str:
    """Return a runtime's data-plane URL (AWS InvokeAgentRuntime), with `path` below `invocations`."""
    return f"{origin}/runtimes/{quote(arn, safe='')}/invocations{path}?qualifier=DEFAULT"


def _client_config(concurrency: int) -> Config:
    return Config(
        retries={"mode": "adaptive", "max_attempts": 8},
        max_pool_connections=concurrency,
        connect_timeout=10,
        read_timeout=30,
        # The name under which AWS CloudTrail shows the hub's calls.
        user_agent="fedhub",
    )


def _read_answer(call: Callable[[], T]) -> T:
    """Call and return the answer. Raise UnreadableAnswerError if the answer has another form than its model.

    botocore raises KeyError, TypeError or ValueError for such an answer.
    """
    try:
        return call()
    except BotoCoreError:
        raise
    except (KeyError, TypeError, ValueError, ResponseParserError) as exc:
        raise UnreadableAnswerError(reason=f"{type(exc).__name__} {exc}") from exc


def _listed_runtime(item: Mapping[str, object]) -> RuntimeSummary:
    return RuntimeSummary(
        runtime_id=str(item["agentRuntimeId"]),
        arn=str(item["agentRuntimeArn"]),
        name=str(item["agentRuntimeName"]),
        version=str(item["agentRuntimeVersion"]),
        status=str(item["status"]),
        last_updated_at=_utc(item["lastUpdatedAt"]),
    )


def _full_runtime(answer: Mapping[str, object]) -> Runtime:
    protocol_configuration = _json_object(answer.get("protocolConfiguration"))
    return Runtime(
        runtime_id=str(answer["agentRuntimeId"]),
        arn=str(answer["agentRuntimeArn"]),
        name=str(answer["agentRuntimeName"]),
        version=str(answer["agentRuntimeVersion"]),
        status=str(answer["status"]),
        last_updated_at=_utc(answer["lastUpdatedAt"]),
        description=str(answer.get("description") or ""),
        protocol=str(protocol_configuration.get("serverProtocol") or "").upper(),
        authorizer_configuration=_json_object(answer.get("authorizerConfiguration")),
        protocol_configuration=protocol_configuration,
        failure_reason=str(answer.get("failureReason") or ""),
        allowed_headers=_allowed_headers(_json_object(answer.get("requestHeaderConfiguration"))),
    )


def _allowed_headers(configuration: JsonObject) -> tuple[str, ...]:
    listed = configuration.get("requestHeaderAllowlist")
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()


def _json_object(value: object) -> JsonObject:
    return dict(value) if isinstance(value, dict) else {}


def _utc(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError(f"lastUpdatedAt is not a time: {value!r}")
    return value.astimezone(UTC)
