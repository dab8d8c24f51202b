"""Measurements for benchmarks: written rows, processor time, peak memory, and the file of results."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

RESULTS = Path(__file__).parent / "results"
WRITE = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')


@contextmanager
def rows_written() -> Iterator[Counter[str]]:
    """Count the rows that the connection of this thread inserts, updates and deletes, by table."""
    rows: Counter[str] = Counter()

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if match := WRITE.match(sql):
            rows[match[1]] += max(context["cursor"].rowcount, 0)
        return result

    with connection.execute_wrapper(count):
        yield rows


def peak_memory_mb() -> float:
    """Return the peak resident size of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_seconds_of(pid: int) -> float:
    """Return the processor time of a process and its children, in seconds. Return 0 on a system without /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    # proc_pid_stat(5): utime and stime are fields 14 and 15; the name in brackets may contain blanks.
    user, system = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    own = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds_of(int(child)) for child in children)


def kept_results(name: str) -> dict[str, Any]:
    """Return the raw results that a file in benchmarks/results keeps; an empty dictionary without the file."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def save_results(name: str, results: dict[str, Any]) -> Path:
    """Write raw results to benchmarks/results and return the path of the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    machine = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    path.write_text(json.dumps({"machine": machine, **results}, indent=2) + "\n", encoding="utf-8")
    return path
