"""Run every benchmark, or those named, and print each figure beside its ideal: `python -m benchmarks [ranking] …`.

The raw results are written to benchmarks/results, one JSON file for each benchmark.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("sync", "protocol", "receive", "ranking", "search", "plans")


def main(names: list[str]) -> int:
    """Run each benchmark in a process of its own, so that its peak memory is its own; return the worst exit code."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"No benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    chosen = names or BENCHMARKS
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
