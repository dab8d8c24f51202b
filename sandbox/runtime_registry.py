"""The existing runtimes, by id and by ARN; each change is written to moto too."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock

from sandbox import moto_cloud
from sandbox.runtime_specs import (
    PORTS,
    PROTOCOLS,
    RESERVED_PORT,
    STATUSES,
    InvalidSpecError,
    RuntimeSpec,
    SandboxRuntime,
)
from sandbox.runtime_texts import stable_number

_ALPHABET = string.ascii_letters + string.digits
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
# ServerPath of the control API.
_PATH = re.compile(r"/[A-Za-z0-9\-._~/%]{0,2047}")


class UnknownRuntimeError(Exception):
    """No runtime has this id, name or ARN."""


class RuntimeRegistry:
    """The runtimes that exist; the seeds and the admin API add, change and remove runtimes here.

    Every added, changed or removed runtime raises `revision` by 1, so the control plane knows when to read its list
    from moto again.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._by_id: dict[str, SandboxRuntime] = {}
        self._by_arn: dict[str, SandboxRuntime] = {}
        self._generations: Counter[tuple[str, str, str]] = Counter()
        self._sequence = 0
        self.revision = 0

    def __iter__(self) -> Iterator[SandboxRuntime]:
        with self._lock:
            return iter(list(self._by_id.values()))

    def add(self, spec: RuntimeSpec, *, created_at: datetime | None = None) -> SandboxRuntime:
        """Create version 1 of a runtime, at `created_at` or the current time. A reused name gets a new id, as on AWS.

        Raises InvalidSpecError for a name that AWS would refuse or that is in use.
        """
        _check(spec)
        with self._lock:
            if any(_full_name(other.spec) == _full_name(spec) for other in self._by_id.values()):
                raise InvalidSpecError(f"an agent runtime with the name {spec.name} exists already")
            self._sequence += 1
            runtime_id = self._new_id(spec)
            arn = f"arn:aws:bedrock-agentcore:{spec.region}:{spec.account}:runtime/{runtime_id}"
            runtime = SandboxRuntime(runtime_id, arn, self._sequence, spec, 1, created_at or datetime.now(UTC))
            self._by_id[runtime_id] = self._by_arn[arn] = runtime
            self._store(runtime)
            return runtime

    def _new_id(self, spec: RuntimeSpec) -> str:
        full_name = _full_name(spec)
        self._generations[full_name] += 1
        number = stable_number(f"{full_name} {self._generations[full_name]}")
        suffix = ""
        for _ in range(10):
            number, position = divmod(number, len(_ALPHABET))
            suffix += _ALPHABET[position]
        return f"{spec.name}-{suffix}"

    def change(self, key: str, spec: RuntimeSpec, *, new_version: bool, touch: bool) -> SandboxRuntime:
        """Replace the spec of the runtime with the id, name or ARN `key`; the name, account and region stay.

        `new_version` raises the version by 1 and sets `last_updated_at`; `touch` only sets `last_updated_at`. Raises
        UnknownRuntimeError, and InvalidSpecError for a spec that AWS would refuse.
        """
        _check(spec)
        with self._lock:
            runtime = self.find(key)
            runtime.spec = replace(
                spec, name=runtime.spec.name, account=runtime.spec.account, region=runtime.spec.region
            )
            runtime.version += new_version
            if new_version or touch:
                # Two changes within the clock's resolution must have different times.
                runtime.last_updated_at = max(datetime.now(UTC), runtime.last_updated_at + timedelta(milliseconds=1))
            self._store(runtime)
            return runtime

    def remove(self, key: str) -> SandboxRuntime:
        """Delete a runtime; raise UnknownRuntimeError."""
        with self._lock:
            runtime = self.find(key)
            del self._by_id[runtime.runtime_id], self._by_arn[runtime.arn]
            moto_cloud.remove(runtime)
            self.revision += 1
            return runtime

    def find(self, key: str) -> SandboxRuntime:
        """Return the runtime with this id, ARN or name; raise UnknownRuntimeError."""
        with self._lock:
            found = self._by_id.get(key) or self._by_arn.get(key)
            if found is None:
                found = next((runtime for runtime in self._by_id.values() if runtime.spec.name == key), None)
            if found is None:
                raise UnknownRuntimeError(f"runtime {key} does not exist")
            return found

    def find_by_arn(self, arn: str) -> SandboxRuntime | None:
        """Return the runtime with exactly this ARN, or None."""
        return self._by_arn.get(arn)

    def find_by_id(self, runtime_id: str) -> SandboxRuntime | None:
        """Return the runtime with exactly this id, or None."""
        return self._by_id.get(runtime_id)

    def use_cold_start(self, runtime: SandboxRuntime) -> bool:
        """Tell whether this call meets a cold start of the runtime, and lower the number of its cold starts by 1."""
        with self._lock:
            behavior = runtime.spec.behavior
            if behavior.cold_starts < 1:
                return False
            warmer = replace(behavior, cold_starts=behavior.cold_starts - 1)
            runtime.spec = replace(runtime.spec, behavior=warmer)
            return True

    def _store(self, runtime: SandboxRuntime) -> None:
        moto_cloud.store(runtime)
        self.revision += 1


def _full_name(spec: RuntimeSpec) -> tuple[str, str, str]:
    return spec.account, spec.region, spec.name


def _check(spec: RuntimeSpec) -> None:
    if not _NAME.fullmatch(spec.name):
        raise InvalidSpecError("name must be a letter, then at most 47 letters, digits or underscores")
    if spec.protocol not in ("", *PROTOCOLS):
        raise InvalidSpecError(f"protocol must be one of {', '.join(PROTOCOLS)}")
    if spec.status not in STATUSES:
        raise InvalidSpecError(f"status must be one of {', '.join(STATUSES)}")
    if spec.server_port and (spec.server_port not in PORTS or spec.server_port == RESERVED_PORT):
        raise InvalidSpecError(f"serverPort must be {PORTS[0]} to {PORTS[-1]}, without {RESERVED_PORT}")
    if spec.server_path and not _PATH.fullmatch(spec.server_path):
        raise InvalidSpecError("serverPath must begin with a slash")
