"""The control plane and STS, which add to moto the parts that it lacks.

This module checks signatures and trust policies, applies faults and latency, and divides ListAgentRuntimes into pages.
It allows only the operations that a discovery role needs, as AWS does with a least-privilege policy.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from starlette.responses import Response

from core.strict_json import JsonObject
from sandbox.call_counts import CallCounts
from sandbox.credentials import CredentialStore
from sandbox.faults import Faults, aws_error, sts_error
from sandbox.moto_cloud import CONTROL_SERVICE, STS_SERVICE, MotoResponse, MotoServer, read_credential
from sandbox.runtime_registry import RuntimeRegistry
from sandbox.sigv4 import Credential, RequestRefusedError, SignedRequest, verify_sigv4

MAX_RESULTS = 100
_ROLE_ARN = re.compile(r"arn:aws(-[^:]+)?:iam::(\d{12}):role/[\w+=,.@/-]+")
_OPERATIONS = (
    ("POST", re.compile(r"/runtimes/?"), "ListAgentRuntimes"),
    ("GET", re.compile(r"/runtimes/(?P<key>[^/]+)/?"), "GetAgentRuntime"),
    ("GET", re.compile(r"/tags/(?P<key>.+)"), "ListTagsForResource"),
)


class ControlPlane:
    """Serves the requests to STS and to the AgentCore control API, most of them with the response of moto."""

    def __init__(
        self, registry: RuntimeRegistry, credentials: CredentialStore, faults: Faults, calls: CallCounts
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._faults = faults
        self._calls = calls
        self._moto = MotoServer()
        self._listings: dict[tuple[str, str], tuple[int, list[dict[str, Any]]]] = {}

    async def answer(self, request: SignedRequest) -> Response:
        """Answer one request to STS or to the control API."""
        await asyncio.sleep(self._faults.latency_seconds)
        if request.path in ("", "/"):
            return self._answer_sts(request)
        return self._answer_control(request)

    # STS

    def _answer_sts(self, request: SignedRequest) -> Response:
        fields = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        action = fields.get("Action", "")
        self._calls.count_call(action or "UnknownAction")
        try:
            caller, region = self._verify(request, STS_SERVICE)
            if fault := self._faults.take(action, names=(fields.get("RoleArn", ""),)):
                return sts_error(fault.error, fault.message)
            if action == "AssumeRole":
                return self._assume_role(caller, region, fields)
            if action == "GetCallerIdentity":
                return _identity(caller)
        except RequestRefusedError as error:
            self._calls.count_refusal(error.code)
            return sts_error(error.code, error.message)
        return sts_error(
            "AccessDeniedException", f"User: {caller.principal} is not authorized to perform: sts:{action}"
        )

    def _assume_role(self, caller: Credential, region: str, fields: Mapping[str, str]) -> Response:
        """Check the role's trust policy, then let moto issue the credentials (STS AssumeRole)."""
        role_arn, external_id = fields.get("RoleArn", ""), fields.get("ExternalId")
        role = _ROLE_ARN.fullmatch(role_arn)
        if role is None:
            return sts_error("ValidationException", f"{role_arn} is invalid")
        session_name = fields.get("RoleSessionName", "")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", session_name):
            return sts_error("ValidationException", "RoleSessionName must be 2 to 64 characters of [\\w+=,.@-]")
        self._calls.record_assumed_role(role_arn, external_id, session_name)
        self._credentials.check_trust(caller, role_arn, external_id)
        body = dict(fields)
        if self._credentials.lifetime_seconds is not None:
            body["DurationSeconds"] = str(self._credentials.lifetime_seconds)
        account = role.group(2)
        answer = self._call_moto(STS_SERVICE, "POST", "/", account, region, body=urlencode(body).encode())
        if answer.status == 200:
            principal = f"arn:aws:sts::{account}:assumed-role/{role_arn.split('/')[-1]}/{session_name}"
            self._credentials.issue(read_credential(answer.body, account=account, principal=principal))
        return _relay(answer)

    # AgentCore control API

    def _answer_control(self, request: SignedRequest) -> Response:
        operation, key = _route(request)
        self._calls.count_call(operation or "UnknownOperation")
        try:
            caller, region = self._verify(request, "bedrock-agentcore")
        except RequestRefusedError as error:
            self._calls.count_refusal(error.code)
            return aws_error(error.code, error.message)
        if operation is None:
            return aws_error(
                "AccessDeniedException",
                f"User: {caller.principal} is not authorized to perform this bedrock-agentcore operation: "
                f"{request.method} {unquote(request.path)}",
            )
        if operation == "ListAgentRuntimes":
            return self._list_runtimes(request, caller, region)
        if fault := self._faults.take(operation, names=self._names(key)):
            return aws_error(fault.error, fault.message)
        path = unquote(request.path)
        answer = self._call_moto(CONTROL_SERVICE, request.method, path, caller.account, region, query=request.query)
        return _relay(self._with_more(answer, operation, key))

    def _with_more(self, answer: MotoResponse, operation: str, key: str) -> MotoResponse:
        """Return moto's answer to GetAgentRuntime with what AWS adds: the reason of a failure, the allowed headers."""
        runtime = self._registry.find_by_id(key)
        if operation != "GetAgentRuntime" or answer.status != 200 or runtime is None:
            return answer
        more: JsonObject = {}
        if runtime.spec.failure_reason:
            more["failureReason"] = runtime.spec.failure_reason
        if runtime.spec.forwarded_headers:
            more["requestHeaderConfiguration"] = {"requestHeaderAllowlist": [*runtime.spec.forwarded_headers]}
        return replace(answer, body=json.dumps({**json.loads(answer.body), **more}).encode()) if more else answer

    def _list_runtimes(self, request: SignedRequest, caller: Credential, region: str) -> Response:
        """Answer one page (AWS ListAgentRuntimes: `maxResults` 1 to 100, opaque `nextToken`)."""
        query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        try:
            size = int(query.get("maxResults", MAX_RESULTS))
            after, page = _read_token(query["nextToken"]) if "nextToken" in query else (0, 1)
        except ValueError:
            return aws_error("ValidationException", "maxResults or nextToken is invalid")
        if not 1 <= size <= MAX_RESULTS:
            return aws_error("ValidationException", f"maxResults must be between 1 and {MAX_RESULTS}")
        if fault := self._faults.take("ListAgentRuntimes", page=page):
            return aws_error(fault.error, fault.message)
        # A token names the last served runtime, so that the removal of other runtimes in between skips none.
        rest = [entry for entry in self._listing(caller.account, region) if entry["sequence"] > after]
        served = rest[:size]
        body: dict[str, Any] = {"agentRuntimes": [entry["summary"] for entry in served]}
        if len(rest) > size:
            body["nextToken"] = _write_token(served[-1]["sequence"], page + 1)
        return Response(json.dumps(body), media_type="application/json")

    def _listing(self, account: str, region: str) -> list[dict[str, Any]]:
        """Return moto's whole list of runtimes; moto is asked again only after a change in the registry."""
        revision = self._registry.revision
        cached = self._listings.get((account, region))
        if cached is not None and cached[0] == revision:
            return cached[1]
        answer = self._call_moto(CONTROL_SERVICE, "POST", "/runtimes/", account, region)
        entries = []
        for summary in json.loads(answer.body)["agentRuntimes"]:
            runtime = self._registry.find_by_id(summary["agentRuntimeId"])
            if runtime is not None:
                entries.append({"sequence": runtime.sequence, "summary": summary})
        entries.sort(key=lambda entry: entry["sequence"])
        self._listings[account, region] = revision, entries
        return entries

    def _names(self, key: str) -> tuple[str, ...]:
        runtime = self._registry.find_by_id(key) or self._registry.find_by_arn(key)
        return (runtime.runtime_id, runtime.arn, runtime.spec.name) if runtime else (key,)

    def _verify(self, request: SignedRequest, service: str) -> tuple[Credential, str]:
        return verify_sigv4(
            request, service=service, region=None, now=datetime.now(UTC), find_credential=self._credentials.find
        )

    def _call_moto(
        self, service: str, method: str, path: str, account: str, region: str, *, query: str = "", body: bytes = b""
    ) -> MotoResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if service == STS_SERVICE else {}
        # Not in a thread: moto computes for a millisecond and waits for nothing, so threads would only compete.
        return self._moto.call(
            service,
            method,
            path,
            account=account,
            region=region,
            query=query,
            body=body,
            headers=headers,
        )


def _route(request: SignedRequest) -> tuple[str | None, str]:
    for method, pattern, operation in _OPERATIONS:
        if request.method == method and (match := pattern.fullmatch(request.path)):
            return operation, unquote(match.groupdict().get("key") or "")
    return None, ""


def _relay(answer: MotoResponse) -> Response:
    headers = {name: value for name, value in answer.headers if name.lower().startswith(("content-type", "x-amzn"))}
    return Response(answer.body, status_code=answer.status, headers=headers)


def _identity(caller: Credential) -> Response:
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{caller.principal}</Arn><UserId>{caller.access_key_id}</UserId><Account>{caller.account}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    return Response(body, media_type="text/xml")


def _write_token(sequence: int, page: int) -> str:
    return base64.urlsafe_b64encode(f"after:{sequence}:{page}".encode()).decode()


def _read_token(token: str) -> tuple[int, int]:
    """Return the `sequence` of the last listed runtime and the next page's number, from a token of `_write_token`.

    Raises ValueError for any other token.
    """
    try:
        word, sequence, page = base64.urlsafe_b64decode(token.encode()).decode().split(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not a token") from error
    if word != "after":
        raise ValueError("not a token")
    return int(sequence), int(page)
