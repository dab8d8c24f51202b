"""The work that the soak gives while it runs: dispatches in both directions, and runs of agents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, cycle

import httpx

from benchmarks.soak.prepare import WORKERS, Prepared
from benchmarks.soak.records import Asked
from benchmarks.soak.stack import Stack
from federations.models import A2aAgent

PACE_SECONDS = 2.0
ANSWER_SECONDS = 15.0
Post = Callable[[httpx.Client, int], httpx.Response]


@dataclass
class Load:
    """What was asked of the hubs, by kind of work. An answer without success is counted.

    Such work is not sent again. The hub may have stored such work: a process that is killed does not answer.
    """

    stack: Stack
    prepared: Prepared
    to_hub: Asked = field(default_factory=Asked)
    to_peer: Asked = field(default_factory=Asked)
    runs: Asked = field(default_factory=Asked)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, is_over: threading.Event) -> None:
        """Give work of each kind every two seconds until `is_over` is set."""
        prepared, hub = self.prepared, self.stack.hub
        agents = dict(hub.stored(A2aAgent).filter(name__in=WORKERS).values_list("name", "id"))
        if len(agents) != len(WORKERS):
            raise RuntimeError(f"the hub has the agents {sorted(agents)} alone")
        paths, ids = cycle(name.replace("_", "-") for name in WORKERS), cycle(agents.values())
        peer, staff = ({"Authorization": f"Bearer {token}"} for token in (prepared.peer_token, prepared.token))

        def to_hub(client: httpx.Client, number: int) -> httpx.Response:
            return _dispatch(client, self.stack.peer.url, hub.url, next(paths), f"to-hub-{number}")

        def to_peer(client: httpx.Client, number: int) -> httpx.Response:
            return _dispatch(client, hub.url, self.stack.peer.url, "analyst", f"to-peer-{number}")

        def run(client: httpx.Client, number: int) -> httpx.Response:
            return client.post(f"{hub.url}/api/v1/agents/{next(ids)}/runs", json={"text": f"Add 1000 and {number}"})

        for post, asked, key, headers in (
            (to_hub, self.to_hub, "dispatch_id", peer),
            (to_peer, self.to_peer, "dispatch_id", staff),
            (run, self.runs, "id", staff),
        ):
            arguments = (post, asked, key, headers, is_over)
            self._threads.append(threading.Thread(target=_ask, args=arguments, name=f"load-{post.__name__}"))
            self._threads[-1].start()

    def faults(self) -> Iterator[str]:
        """Yield the kinds of work of which a request had no answer with success; for a hub that nothing disturbs."""
        for name, asked in (("to the hub", self.to_hub), ("to the peer", self.to_peer), ("runs", self.runs)):
            if asked.unanswered or not asked.answered:
                yield f"{name}: {len(asked.answered)} requests were answered with success, {asked.unanswered} not"

    def join(self) -> None:
        """Wait until the threads have ended."""
        for thread in self._threads:
            thread.join()


def _dispatch(client: httpx.Client, sender: str, receiver: str, agent: str, intent: str) -> httpx.Response:
    body = {"intent_id": intent, "target_server": receiver, "agent_id": agent, "intent_title": "Add 1000 and 1"}
    return client.post(f"{sender}/api/v1/federation/dispatch", json=body)


def _ask(post: Post, asked: Asked, key: str, headers: Mapping[str, str], is_over: threading.Event) -> None:
    with httpx.Client(headers=headers, timeout=ANSWER_SECONDS) as client:
        for number in count():
            if is_over.wait(PACE_SECONDS):
                return
            try:
                answer = post(client, number)
            except httpx.HTTPError:
                asked.unanswered += 1
                continue
            if answer.is_success:
                asked.answered.add(str(answer.json()[key]))
            else:
                asked.unanswered += 1
