"""The MCP revisions that a runtime speaks, and its refusals of the others."""

from __future__ import annotations

from core.strict_json import JsonObject
from sandbox.replies import Reply
from sandbox.rpc_calls import RpcCall
from sandbox.runtime_specs import LEGACY_VERSIONS, RuntimeSpec

VERSION_HEADER = "mcp-protocol-version"
UNSUPPORTED_PROTOCOL_VERSION = -32022
_INVALID_REQUEST = -32600
_INVALID_PARAMS = -32602


def refuse_version(spec: RuntimeSpec, call: RpcCall, version: str | None) -> Reply | None:
    """Return the refusal of a call in a revision that the runtime does not speak, None for another call.

    `version` is the value of the header `MCP-Protocol-Version`. A runtime of 2026-07-28 alone answers as that revision
    asks (HTTP 400, code -32022 with the supported revisions). One of older revisions refuses another header with HTTP
    400 and code -32600, as the SDK of that time did, and an `initialize` of another old revision with code -32602, as
    the revisions' own example has it. an unknown revision goes to the server, which offers another one.
    """
    legacy = [known for known in spec.versions if known in LEGACY_VERSIONS]
    if call.method == "initialize":
        requested = str(call.params.get("protocolVersion", ""))
        if not legacy:
            return _unsupported(spec, requested, UNSUPPORTED_PROTOCOL_VERSION, status=400)
        if requested in LEGACY_VERSIONS and requested not in legacy:
            return _unsupported(spec, requested, _INVALID_PARAMS, status=200)
        return None
    if version in spec.versions or (version is None and legacy):
        return None
    if not legacy:
        return _unsupported(spec, version or "", UNSUPPORTED_PROTOCOL_VERSION, status=400)
    if len(legacy) < len(spec.versions):
        return None
    text = f"Bad Request: Unsupported protocol version: {version}. Supported versions: {', '.join(legacy)}"
    return Reply(error={"code": _INVALID_REQUEST, "message": text}, status=400)


def _unsupported(spec: RuntimeSpec, requested: str, code: int, *, status: int) -> Reply:
    data: JsonObject = {"supported": [*spec.versions], "requested": requested}
    return Reply(error={"code": code, "message": "Unsupported protocol version", "data": data}, status=status)
