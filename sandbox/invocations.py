"""The requests of the data plane, as far as their path, query and body say what is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from sandbox.rpc_calls import CARD_METHOD, RpcCall, read_call
from sandbox.sigv4 import SignedRequest

CARD_PATH = "/.well-known/agent-card.json"
SESSION_HEADER = "x-amzn-bedrock-agentcore-runtime-session-id"
_PATH = re.compile(r"/runtimes/([^/]+)/invocations(/.*)?")


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request of the data plane, as `parse_invocation` reads it from an HTTP request.

    `arn` is the decoded ARN of the called runtime. `subpath` is the part of the request's path after `/invocations`.
    `call` is the JSON-RPC call of the body, or the request for the agent card.
    """

    request: SignedRequest
    arn: str
    subpath: str
    call: RpcCall

    @property
    def is_card(self) -> bool:
        """Tell whether the request is for the agent card."""
        return self.call.method == CARD_METHOD

    @property
    def qualifier(self) -> str:
        """Return the runtime endpoint that the query names, DEFAULT if the query names none, as on AWS."""
        return parse_qs(self.request.query).get("qualifier", ["DEFAULT"])[0]

    @property
    def conversation(self) -> str:
        """Return AWS's session id, which a caller keeps for one conversation; empty if the caller sent none."""
        return self.request.header(SESSION_HEADER) or ""

    @property
    def public_url(self) -> str:
        """Return the address under which the caller reached the runtime, for the agent card."""
        host = self.request.header("host") or ""
        return f"http://{host}{self.request.path.removesuffix(CARD_PATH)}/"


def parse_invocation(request: SignedRequest) -> Invocation | None:
    """Return the invocation that the path describes, None for a path outside the data plane."""
    match = _PATH.fullmatch(request.path)
    if match is None:
        return None
    subpath = match.group(2) or ""
    is_card = request.method == "GET" and subpath == CARD_PATH
    call = RpcCall(CARD_METHOD) if is_card else read_call(request.body)
    return Invocation(request, unquote(match.group(1)), subpath, call)
