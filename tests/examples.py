"""The number of examples that property tests draw: all in CI, fewer where a person waits for the result."""

from __future__ import annotations

import os

from hypothesis import settings

LOCAL_EXAMPLES = 25


def choose_profile() -> None:
    """Load the profile `ci` where the variable CI is set, else `local`; `--hypothesis-profile` overrides the choice."""
    # Without a deadline, because a garbage collection on a busy machine is not a failure.
    settings.register_profile("local", max_examples=LOCAL_EXAMPLES, deadline=None)
    # CI draws the same examples in every run, so that it does not refuse a change for an older fault.
    settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, database=None, print_blob=True)
    settings.load_profile("ci" if os.environ.get("CI") else "local")


def examples(count: int) -> settings:
    """Return the settings of a test that draws `count` examples in CI, and a quarter, 10 to 25, elsewhere."""
    if settings.get_current_profile_name() == "local":
        count = min(max(count // 4, 10), LOCAL_EXAMPLES)
    return settings(max_examples=count)
