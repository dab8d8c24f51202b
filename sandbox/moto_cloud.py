"""Everything that touches moto: its runtimes, its STS and the WSGI call into its server mode.

moto gives runtimes ids and ARNs of its own making, puts the version into the ARN and has transient states. Here its
objects get AWS's real shapes right after they are made; its server then describes them as they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.bedrockagentcorecontrol.models import bedrockagentcorecontrol_backends
from moto.moto_server.werkzeug_app import create_backend_app

from sandbox.runtime_specs import RuntimeSpec, SandboxRuntime
from sandbox.sigv4 import Credential

CONTROL_SERVICE = "bedrock-agentcore-control"
STS_SERVICE = "sts"


@dataclass(frozen=True, slots=True)
class CloudResponse:
    """What moto's server answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def _backend(account: str, region: str) -> Any:
    return bedrockagentcorecontrol_backends[account][region]


def _settings(spec: RuntimeSpec) -> dict[str, Any]:
    return {
        "agent_runtime_artifact": {
            "containerConfiguration": {
                "containerUri": f"{spec.account}.dkr.ecr.{spec.region}.amazonaws.com/{spec.name.lower()}:latest"
            }
        },
        "role_arn": f"arn:aws:iam::{spec.account}:role/agentcore-{spec.name}",
        "network_configuration": {"networkMode": "PUBLIC"},
        "description": spec.description,
        "authorizer_configuration": spec.authorizer or None,
        "request_header_configuration": None,
        "protocol_configuration": {"serverProtocol": spec.protocol} if spec.protocol else None,
        "lifecycle_configuration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
        "environment_variables": None,
    }


def store(runtime: SandboxRuntime) -> None:
    """Put `runtime` into moto, or bring moto's object in line with it."""
    spec = runtime.spec
    backend = _backend(spec.account, spec.region)
    kept = backend.agent_runtimes.get(runtime.runtime_id)
    if kept is None:
        kept = backend.create_agent_runtime(agent_runtime_name=spec.name, tags=None, **_settings(spec))
        del backend.agent_runtimes[kept.agent_runtime_id]
        kept.agent_runtime_id = runtime.runtime_id
        backend.agent_runtimes[runtime.runtime_id] = kept
    elif kept.agent_runtime_version != str(runtime.version):
        # moto's update takes the ARN apart in its own shape.
        kept.agent_runtime_arn = "agent/0:0"
        backend.update_agent_runtime(runtime.runtime_id, **_settings(spec))
    _overwrite(kept, runtime)
    backend.tagger.delete_all_tags_for_resource(runtime.arn)
    backend.tagger.tag_resource(runtime.arn, [{"Key": key, "Value": value} for key, value in spec.tags.items()])


def _overwrite(kept: Any, runtime: SandboxRuntime) -> None:
    settings = _settings(runtime.spec)
    # moto's update leaves what is None as it was.
    kept.authorizer_configuration = settings["authorizer_configuration"]
    kept.protocol_configuration = settings["protocol_configuration"]
    kept.description = settings["description"]
    kept.agent_runtime_arn = runtime.arn
    kept.agent_runtime_version = str(runtime.version)
    kept.last_updated_at = runtime.last_updated_at.replace(tzinfo=None)
    kept.status = runtime.spec.status


def remove(runtime: SandboxRuntime) -> None:
    """Take `runtime` out of moto."""
    backend = _backend(runtime.spec.account, runtime.spec.region)
    backend.delete_agent_runtime(runtime.runtime_id)
    backend.tagger.delete_all_tags_for_resource(runtime.arn)


class Cloud:
    """moto's server mode for the two services, called as the WSGI applications they are."""

    def __init__(self) -> None:
        self._apps = {
            CONTROL_SERVICE: create_backend_app("bedrock-agentcore-control"),
            STS_SERVICE: create_backend_app("sts"),
        }

    def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        account: str,
        region: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> CloudResponse:
        """Return moto's answer for an account and region, blocking for about a millisecond. `path` comes decoded."""
        environ = _environ(service, method, path, region)
        environ |= {"QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        environ |= {"HTTP_X_MOTO_ACCOUNT_ID": account, **_wsgi_headers(headers or {})}
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, response_headers: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], object]:
            started.append((status, response_headers))
            return lambda written: None

        answer = b"".join(self._apps[service](environ, start_response))
        status, response_headers = started[0]
        return CloudResponse(int(status.split()[0]), tuple(response_headers), answer)


def _environ(service: str, method: str, path: str, region: str) -> dict[str, Any]:
    host = f"{service}.{region}.amazonaws.com"
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _wsgi_headers(headers: Mapping[str, str]) -> dict[str, str]:
    names = {name: "HTTP_" + name.upper().replace("-", "_") for name in headers}
    return {names[name].replace("HTTP_CONTENT_TYPE", "CONTENT_TYPE"): value for name, value in headers.items()}


def read_credential(answer: bytes, *, account: str, principal: str) -> Credential:
    """Return the credential that an AssumeRole answer issues."""
    values = {
        name.decode(): text.decode()
        for name, text in re.findall(rb"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)<", answer)
    }
    expires_at = datetime.fromisoformat(values["Expiration"])
    if expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    return Credential(
        values["AccessKeyId"], values["SecretAccessKey"], values["SessionToken"], account, expires_at, principal
    )
