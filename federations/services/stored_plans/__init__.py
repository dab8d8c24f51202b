"""Stored plans: a change is seen, sent to a colleague, and applied exactly.

Theory of operation. `make.py` discovers an account as a dry run does, and stores the plan: a row for the plan, and a
row for each change with its detail (`described.py`) and with the finding that an apply writes. A sync that a guard
holds stores its plan in the same way.

An apply (`apply.py`) does not ask the runtimes again. It lists the account once more and compares the listing and the
configuration with those of the plan; then, in the transaction of the sync, it makes the plan again from the stored
findings and the present rows. `make_plan` is a pure function, so equal inputs give the equal plan; `basis.py` keeps
digests of the inputs to name what changed, and the digest of the new plan must be the one that the person saw. A
difference makes the plan stale, and nothing is written.

A plan lives for 24 hours. `end.py` dismisses plans and lets them expire; the contents go with them, and so do the
changes that no job lists.
"""
