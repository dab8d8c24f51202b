"""Work in the background: messages to workers, and the message broker of a hub on one machine.

Theory of operation
===================

Rows are the truth, and a message is a nudge. A row says which work is left, when it is due (`due_at`) and which worker
has taken it. A Celery message carries the id of a row and tells a worker to look at the row now. `queue.enqueue` sends
it after the commit, so that the worker finds the row; a broker that cannot be reached causes only a warning. The beat
runs a sweep every 30 seconds, and the sweep sends a message again for each row that is due. So a lost message costs
time, a doubled message finds a row that is already taken, and no broker can lose work. But a doubled message costs a
worker time, and slow workers would fall ever further behind. So a message of the sweep expires after
`queue.nudge_lifetime()` (2 minutes with the default settings), and the sweep sends no other message for the row until
then, unless the row has become due anew. This is why the default broker
may be a folder of files (`file_broker`). Each kind of work has a queue (FEDHUB_QUEUES and CELERY_TASK_ROUTES in the
settings), so that a worker can be kept for deliveries and sweeps while others run syncs and handlers.

A worker takes a row by compare-and-set and holds a lease on it until a point in time. If the worker dies, the lease
lapses by itself. Each take writes a new `lease_token`, and each later write of the worker has the token in its filter,
so that a worker that has lost its lease changes nothing more.

There are two designs of leases, because two kinds of work differ:

- `federations.services.jobs.Lease`, for a sync. A sync takes minutes to an hour, locks its federation, and must not run
  twice at once. The end of the lease is a column of its own, `lease_expires_at`, and a heartbeat renews it; `due_at` is
  only the time of the next nudge for a job that waits in the queue. When the sweep sends a nudge, it moves `due_at` to
  the time at which the nudge expires. It also ends each job whose lease has lapsed: the federation is free, and the
  next sync repeats the work that was not committed.
- `peers.services.outbox.leases`, for a delivery, a callback or a handler event. Each takes seconds and may happen
  twice, because the receiver recognizes the id. There is no column for the lease: a worker takes a row by moving
  `due_at` to the end of its lease, so `due_at` answers both "when next?" and "taken until when?", and the row of a dead
  worker is due again by itself. The sweep must not move `due_at`, since a moved `due_at` is a lease; it writes
  `nudged_at`. After a failure the worker sets the next `due_at`; a row without `due_at` is done, dead or held for a
  decision of staff.

To choose for new work: if it takes longer than one fixed lease or locks another row, copy the first design; if it is
short and idempotent, copy the second.
"""
