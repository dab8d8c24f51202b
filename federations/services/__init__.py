"""The registry's services: one module for each concern, one function for each request of a person or a program.

Theory of operation: the life of a sync.

1. Start (`start`). One transaction writes a job row in status pending and sets the federation's `sync_status` to
   pending. A unique constraint allows one active job for each federation, so the database decides between two starts.
   The job has a lease from its first moment. A queued job also has `due_at`, and a nudge goes out after the commit.
   A dry run (`preview`) has no job: it takes a slot that lapses, discovers and plans, and writes no resource.
2. Take (`run`, `jobs`). A worker, or the caller, takes the job by compare-and-set and gets a new lease with a token.
   A thread renews the lease and writes the progress (`heartbeat`).
3. Discover (`discover`). The provider lists the account without any transaction, and calls only the runtimes whose
   version or time of update differs from the last observation.
4. Plan and apply (`plans`, `apply`, `observations`). One transaction renews the lease by compare-and-set, plans from
   the rows as they are now, stops if the deletion guard holds the plan, and writes resources, observations and stats.
   Its last statement records the outcome, the summary and the changes on the job.
5. Index (`index`). After the commit, the search documents of the changed resources are written. An error here is
   noted on the job and does not fail the sync.
6. End (`jobs`). The job and its federation get the recorded outcome, and the job's lease ends.

The rows after a crash, by the step of the crash, and the repair:

- Start: nothing, because the transaction is undone. A crash after the commit loses at most the nudge. The sweep
  (`tasks.sweep`) nudges a queued job again when its `due_at` has passed, and fails it when its lease has lapsed.
- Take or discover: the old rows and a job in status syncing. When the lease has lapsed, the sweep, or the next start
  for the same federation, fails the job and sets the federation's `sync_status` to failed.
- Apply: the same, because the transaction is undone. A worker that slept past its lease changes nothing, because the
  first statement of the transaction finds another token or another status.
- Index or end: the new rows and a job with a recorded outcome. When the lease has lapsed, the sweep ends the job with
  that outcome. The next sync of the federation compares the stamps of rows and documents, and repairs the index.
- A deletion (`federations`) follows the same life. A crash before its commit leaves the federation in status deleting,
  and the end of the lapsed job sets it back to active. A crash after it leaves documents in the index, which only
  `manage.py rebuild_search` removes, and a periodic task, which the sweep removes (`schedule.repair_schedules`).

A failed job is not started again by itself: the next sync is the retry, because a discovery always compares the whole
account with the rows.
"""
