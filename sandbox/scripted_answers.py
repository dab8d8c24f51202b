"""The answers that a runtime's behavior writes out, in place of those of its server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import cast

from starlette.types import ASGIApp

from core.strict_json import Json, JsonObject
from sandbox.replies import Reply, parse_reply
from sandbox.rpc_calls import RpcCall
from sandbox.runtime_specs import Behavior, InvalidSpecError, SandboxRuntime

EACH = ("call", "conversation", "runtime")
# A long run of syncs has many conversations; the oldest are forgotten.
_MAX_KEYS = 10_000


class Uses:
    """How often a plan was used, by runtime and key; another plan of the same runtime begins again at 0."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[object, Counter[Hashable]]] = {}

    def take(self, runtime_id: str, plan: object, key: Hashable, times: int = 1) -> bool:
        """Tell whether `plan` has a use left for `key`, of `times`, and count the use."""
        known, counts = self._counts.get(runtime_id, (None, Counter()))
        if known is not plan:
            counts = Counter()
            self._counts[runtime_id] = plan, counts
        if counts[key] >= times:
            return False
        counts[key] += 1
        if len(counts) > _MAX_KEYS:
            del counts[next(iter(counts))]
        return True


class ScriptedAnswers:
    """Gives the data plane the reply that the behavior of a runtime has for a call: a passing fault or a fixed reply.

    A conversation is the set of calls with one AWS session id; all calls without one are one conversation.
    """

    def __init__(self) -> None:
        self._uses = Uses()

    def find(self, runtime: SandboxRuntime, call: RpcCall, conversation: str) -> ASGIApp | None:
        """Return the reply to `call`, None if the runtime's server answers it."""
        behavior, streams = runtime.spec.behavior, runtime.spec.streams
        if behavior.passing and self._passes(runtime, call, conversation):
            return parse_reply(behavior.passing["reply"], "passing.reply").answer(call, streams=streams)
        if call.method in behavior.replies:
            return parse_reply(behavior.replies[call.method], call.method).answer(call, streams=streams)
        return None

    def _passes(self, runtime: SandboxRuntime, call: RpcCall, conversation: str) -> bool:
        passing = runtime.spec.behavior.passing
        methods = cast("list[str]", passing.get("methods", []))
        if methods and call.method not in methods:
            return False
        keys: dict[str, Hashable] = {
            "call": (conversation, call.method, call.cursor),
            "conversation": conversation,
            "runtime": "",
        }
        key = keys[str(passing.get("each", "call"))]
        return self._uses.take(runtime.runtime_id, passing, key, cast("int", passing.get("times", 1)))


def check_behavior(behavior: Behavior) -> None:
    """Raise InvalidSpecError if `replies` or `passing` of the behavior is wrong."""
    for method, value in behavior.replies.items():
        parse_reply(value, f"behavior.replies.{method}")
    if behavior.passing:
        _check_passing(behavior.passing)


def _check_passing(passing: JsonObject) -> Reply:
    if set(passing) - {"reply", "each", "times", "methods"} or "reply" not in passing:
        raise InvalidSpecError("behavior.passing must have reply, and may have each, times and methods")
    if passing.get("each", "call") not in EACH:
        raise InvalidSpecError(f"behavior.passing.each must be one of {', '.join(EACH)}")
    if not isinstance(passing.get("times", 1), int):
        raise InvalidSpecError("behavior.passing.times must be an int")
    methods: Json = passing.get("methods", [])
    if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
        raise InvalidSpecError("behavior.passing.methods must be a list of texts")
    return parse_reply(passing["reply"], "behavior.passing.reply")
