"""Run all benchmarks or the named ones, and print each figure beside its ideal: `python -m benchmarks [ranking] …`.

Each benchmark writes its raw results to a JSON file in benchmarks/results.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    *("sync", "schedules", "protocol", "receive", "runs", "log"),
    *("ranking", "compatibility", "search", "query_plans", "pages", "growth"),
)


def main(names: list[str]) -> int:
    """Run each benchmark in its own process, which has its own peak memory. Return the worst exit code."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"Unknown benchmark {', '.join(sorted(unknown))}; known ones: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    chosen = names or BENCHMARKS
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
