"""A hub on PostgreSQL and Redis that works for minutes while its processes are killed and its servers are stopped.

Theory of operation
===================

`python -m benchmarks.soak --minutes 10` starts the profile of a deployment on one machine: PostgreSQL, Redis, two web
processes on one port, two beats, two workers for syncs, one for deliveries and sweeps, one for agents, each worker with
two processes (`stack`). Beside them run the sandbox with an account for each federation (`accounts`) and a second hub,
its peer.

While the soak runs, four threads disturb and load the hub. `accounts` changes, adds and removes runtimes, and plans
throttling, errors, slow and hanging runtimes. `disturbances` kills one process every 20 seconds and starts it again two
seconds later, as systemd does, and stops PostgreSQL and Redis twice each. `load` gives work: dispatches in both
directions and runs. Then the soak is calm: the faults end, each federation is synced once more, the schedules are
removed, and the rows settle.

At the end `collect` reads the rows of both hubs into records, and `checks` compares the records. `checks` is pure: each
comparison gets records and returns one sentence for each violation, so that a test shows it a bad record.

- Overlap: two syncs of one federation, from `started_at` to `finished_at`.
- Lost schedule: a federation waits for its next sync longer than its interval and a grace, without the time of outages
  (`disturbances` records when each began and ended).
- Doubled schedule: a federation has more scheduled syncs than its interval allows.
- Stuck row: after the calm a job, run, dispatch, callback or handler event has not ended, is due, or holds a lease.
- State: a stored resource differs from the runtime of the sandbox.
- Ends: a dispatch that the hub answered with 200 is not stored, or a dispatch or run has not ended exactly once.

`python -m benchmarks.soak --mixed` disturbs nothing: for ten minutes clients search, list, dispatch, sync and open
pages of the admin (`mixed`). Each answer must be a success.
"""
