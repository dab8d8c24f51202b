"""All code that uses moto: its runtimes, its STS, and the WSGI call to its server mode.

moto makes other ids and ARNs than AWS, puts the version into the ARN, and has transient states. This module therefore
corrects each object of moto right after moto made it, and moto's server then describes the corrected object.
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
class MotoResponse:
    """The HTTP response of moto's server, which `MotoServer.call` returns to the control plane."""

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
        "protocol_configuration": _protocol_configuration(spec) if spec.protocol else None,
        "lifecycle_configuration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
        "environment_variables": None,
    }


def _protocol_configuration(spec: RuntimeSpec) -> dict[str, Any]:
    port = {"port": spec.server_port} if spec.server_port else {}
    path = {"path": spec.server_path} if spec.server_path else {}
    return {"serverProtocol": spec.protocol, **port, **path}


def store(runtime: SandboxRuntime) -> None:
    """Create the runtime in moto, or update moto's object."""
    spec = runtime.spec
    backend = _backend(spec.account, spec.region)
    moto_runtime = backend.agent_runtimes.get(runtime.runtime_id)
    if moto_runtime is None:
        moto_runtime = backend.create_agent_runtime(agent_runtime_name=spec.name, tags=None, **_settings(spec))
        del backend.agent_runtimes[moto_runtime.agent_runtime_id]
        moto_runtime.agent_runtime_id = runtime.runtime_id
        backend.agent_runtimes[runtime.runtime_id] = moto_runtime
    elif moto_runtime.agent_runtime_version != str(runtime.version):
        # moto's update expects an ARN in moto's own form.
        moto_runtime.agent_runtime_arn = "agent/0:0"
        backend.update_agent_runtime(runtime.runtime_id, **_settings(spec))
    _overwrite(moto_runtime, runtime)
    backend.tagger.delete_all_tags_for_resource(runtime.arn)
    backend.tagger.tag_resource(runtime.arn, [{"Key": key, "Value": value} for key, value in spec.tags.items()])


def _overwrite(moto_runtime: Any, runtime: SandboxRuntime) -> None:
    settings = _settings(runtime.spec)
    # moto's update does not change the fields whose new value is None.
    moto_runtime.authorizer_configuration = settings["authorizer_configuration"]
    moto_runtime.protocol_configuration = settings["protocol_configuration"]
    moto_runtime.description = settings["description"]
    moto_runtime.agent_runtime_arn = runtime.arn
    moto_runtime.agent_runtime_version = str(runtime.version)
    moto_runtime.last_updated_at = runtime.last_updated_at.replace(tzinfo=None)
    moto_runtime.status = runtime.spec.status


def remove(runtime: SandboxRuntime) -> None:
    """Remove the runtime from moto."""
    backend = _backend(runtime.spec.account, runtime.spec.region)
    backend.delete_agent_runtime(runtime.runtime_id)
    backend.tagger.delete_all_tags_for_resource(runtime.arn)


class MotoServer:
    """The server mode of moto for the two services, called as WSGI applications."""

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
    ) -> MotoResponse:
        """Return moto's response for an account and region; blocks for about a millisecond. `path` is decoded."""
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
        return MotoResponse(int(status.split()[0]), tuple(response_headers), answer)


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
    """Return the credential in moto's response to AssumeRole."""
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
