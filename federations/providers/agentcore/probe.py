"""The probe of an account while a person waits: list it once, with a bound in time and with faults in plain words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from federations.providers.agentcore.control import ControlPlane, RuntimeSummary
from federations.providers.agentcore.probe_faults import explain, is_refusal, out_of_time
from federations.providers.base import DiscoveryRequest, ProbedRuntime

# The probe describes no more runtimes than these; a listing does not have their protocols.
MOST_DESCRIBED = 200
_CONNECT_SECONDS, _READ_SECONDS, _TRIES = 3, 5, 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Clock:
    """The end of a probe, and the waits for calls until then."""

    ends_at: float
    region: str

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.ends_at - time.monotonic())

    def check(self) -> None:
        """Raise ProviderError after the end."""
        if not self.seconds_left:
            raise out_of_time(self.region)


def probe_account(request: DiscoveryRequest, *, seconds: float, concurrency: int) -> tuple[ProbedRuntime, ...]:
    """List every runtime, as `Provider.probe` promises; raise ProviderError with an advice."""
    region, role_arn = str(request.config.get("region", "")), str(request.config.get("assumeRoleArn", ""))
    clock = _Clock(time.monotonic() + seconds, region)
    waits = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=concurrency,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
    )
    try:
        control = ControlPlane(region, role_arn, request.external_id, concurrency=concurrency, config=waits)
        # The role first, so that an error of AssumeRole costs no listing.
        control.signing_credentials()
        clock.check()
        summaries = control.list_runtimes(clock.check)
        tags = _tags(control, request, summaries, clock, concurrency)
        protocols = _protocols(control, request, summaries, clock, concurrency)
    except (BotoCoreError, ClientError) as exc:
        raise explain(exc, region, role_arn) from exc
    found = (
        ProbedRuntime(each.runtime_id, protocols.get(each.runtime_id), tags.get(each.runtime_id)) for each in summaries
    )
    return tuple(sorted(found, key=lambda runtime: runtime.runtime_id))


def _tags(
    control: ControlPlane,
    request: DiscoveryRequest,
    summaries: Sequence[RuntimeSummary],
    clock: _Clock,
    concurrency: int,
) -> dict[str, dict[str, str]]:
    if not request.config.get("resourceTagsFilter"):
        return {}
    return _in_time(summaries, lambda summary: control.tags(summary.arn), clock, concurrency)


def _protocols(
    control: ControlPlane,
    request: DiscoveryRequest,
    summaries: Sequence[RuntimeSummary],
    clock: _Clock,
    concurrency: int,
) -> dict[str, str]:
    """Return the protocols by runtime id, from the observations of the same version or from AWS GetAgentRuntime."""
    known = {
        summary.runtime_id: seen.protocol
        for summary in summaries
        if (seen := request.observations.get(summary.runtime_id)) and seen.version == summary.version
    }
    new = [summary for summary in summaries if summary.runtime_id not in known][:MOST_DESCRIBED]
    return known | _in_time(
        new, lambda summary: control.get_runtime(summary.runtime_id, summary.version).protocol, clock, concurrency
    )


def _in_time(
    summaries: Sequence[RuntimeSummary], call: Callable[[RuntimeSummary], T], clock: _Clock, concurrency: int
) -> dict[str, T]:
    """Call for each runtime in threads until the clock's end; return the results by runtime id.

    A refusal of AWS concerns all runtimes, so it is raised; another failed call leaves a gap.
    """
    threads = ThreadPoolExecutor(concurrency, thread_name_prefix="probe")
    try:
        futures = {threads.submit(copy_context().run, call, summary): summary.runtime_id for summary in summaries}
        done, _ = wait(futures, timeout=clock.seconds_left)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    results = {}
    for future in done:
        error = future.exception()
        if error is None:
            results[futures[future]] = future.result()
        elif not isinstance(error, BotoCoreError | ClientError) or is_refusal(error):
            raise error
    return results
