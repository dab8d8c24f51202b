"""The cloud accounts of the soak in the sandbox: their runtimes, the changes of these, and the faults of the cloud.

Each federation has an account of its own with a few runtimes. The changes keep the number of runtimes of an account
small, so that no guard holds a sync.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field

from core.strict_json import JsonObject
from sandbox.client import SandboxClient, SandboxClientError
from tests.sandbox_server import REGION

CHANGE_SECONDS = 1
FAULT_SECONDS = 5
# A hanging runtime keeps its sync for a minute, the longest conversation that the hub has.
HANG_EVERY = 24
SLOW_SECONDS = 4.0
ERRORS = ("ThrottlingException", "InternalServerException", "ServiceUnavailableException")
FAULTY = ("AssumeRole", "ListAgentRuntimes", "GetAgentRuntime", "InvokeAgentRuntime", "GetAgentCard")
CALM: JsonObject = {"slowSeconds": 0.0, "hangs": False, "broken": False}


def account_of(number: int) -> str:
    """Return the id of the account of a federation."""
    return f"{200_000_000_000 + number}"


def role_of(number: int) -> str:
    """Return the role of a federation's account that the hub assumes."""
    return f"arn:aws:iam::{account_of(number)}:role/fedhub-discovery"


@dataclass
class Accounts:
    """The accounts of `count` federations, and the runtimes that each has, by name.

    `spare` are further accounts, whose runtimes do not change. An account begins with `size` runtimes. `done` counts
    the changes and faults by kind.
    """

    cloud: SandboxClient
    count: int
    chance: random.Random
    spare: int = 0
    size: int = 3
    has_faults: bool = True
    names: dict[int, list[str]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    _added: int = 0

    def fill(self) -> None:
        """Give each account MCP servers and half as many A2A agents."""
        for number in range(self.count + self.spare):
            self.names[number] = []
            for place in range(self.size):
                self._add(number, "A2A" if place % 3 == 2 else "MCP")

    def disturb(self, is_over: threading.Event) -> None:
        """Change a runtime each second, and plan a fault of the cloud every five seconds, until `is_over` is set."""
        turn = 0
        while not is_over.wait(CHANGE_SECONDS):
            turn += 1
            try:
                self._change()
                if self.has_faults and turn % FAULT_SECONDS == 0:
                    self._plan_fault(turn // FAULT_SECONDS)
            except SandboxClientError as exc:
                self.seen.append(f"the sandbox refused a change: {exc}")

    def calm(self) -> None:
        """End all faults; a runtime that was slow or broken gets a new version, so that the hub asks it again."""
        self.cloud.faults()
        for runtime in self.cloud.runtimes():
            if runtime["behavior"]:
                self.cloud.patch(str(runtime["id"]), behavior=CALM, description="is calm again")

    # One change or fault ----------------------------------------------------------------------------------------------
    def _change(self) -> None:
        number = self.chance.randrange(self.count)
        names = self.names[number]
        kinds = ("add", "remove", "describe", "describe", "tools", "touch", *(("slow",) if self.has_faults else ()))
        kind = self.chance.choice(kinds)
        name = self.chance.choice(names)
        if kind == "add" and len(names) < self.size + 2:
            self._add(number, self.chance.choice(("MCP", "A2A")))
        elif kind == "remove" and len(names) > self.size - 1:
            names.remove(name)
            self.cloud.remove(name)
        elif kind == "tools":
            protocol = str(self.cloud.get(name)["protocol"])
            items = "tools" if protocol == "MCP" else "skills"
            self.cloud.patch(name, **{items: self.chance.randint(1, 9)})
        elif kind == "slow":
            behavior = {**CALM, "slowSeconds": self.chance.choice((0.0, 0.5, SLOW_SECONDS))}
            self.cloud.patch(name, behavior=behavior, description=self._text())
        elif kind == "touch":
            self.cloud.patch(name, touch=True)
        else:
            kind = "describe"
            self.cloud.patch(name, description=self._text())
        self.done[kind] += 1

    def _plan_fault(self, turn: int) -> None:
        if turn % HANG_EVERY == 0:
            name = self.chance.choice(self.names[self.chance.randrange(self.count)])
            self.cloud.patch(name, behavior={**CALM, "hangs": True}, description=self._text())
            self.done["hang"] += 1
            return
        operation, error = self.chance.choice(FAULTY), self.chance.choice(ERRORS)
        times = self.chance.randint(1, 12)
        self.cloud.faults({"operation": operation, "error": error, "times": times})
        self.done[f"{operation} {error}"] += times

    def _add(self, number: int, protocol: str) -> None:
        self._added += 1
        name = f"soak_{number:03d}_{self._added:05d}"
        self.cloud.add(name, protocol, account=account_of(number), region=REGION, description=self._text())
        self.names[number].append(name)

    def _text(self) -> str:
        return f"Number {self.chance.randrange(10**9)}"
