"""Outbox: messages to peers, kept as rows until they are delivered, refused or given up.

Theory of operation
-------------------
The life of a dispatch. Capitals are its `status`; the notes say what happens to `due_at`:

    dispatch.create_dispatch
          |
          |           `reason_to_hold`: due_at = None
      PENDING, due  ---------------------------------->  PENDING, held
          |     ^                                              |
     take |     +--- approval, resumption or sweep ------------+   due now, with all attempts again
          |     +--- circuit open                                  due at its end (`postpone`), not an attempt
          |     +--- no answer, 3xx, 408, 425, 429, 5xx            due after a pause (`put_off`)
          v     |
      PENDING, leased ----- any other 4xx ------------------->  FAILED (final), dead letter
          |           ----- too many attempts, or too late --->  PENDING, dead letter
          | 2xx
          +--- `accepted` is false ---> REJECTED (final)
          +--- `accepted` is true ----> ACCEPTED ----+--- callback `completed` ---> COMPLETED (final)
          +--- neither is said ------> DELIVERED ---+--- callback `failed` ------> FAILED (final)

    A callback may arrive before the answer to the delivery: it ends the delivery, because the peer has the work.
    `dead_letters.retry_dead` makes a dead letter PENDING and due again, with all attempts.

`due_at` is the lease. A worker takes a due row by compare-and-set: it moves `due_at` to the end of its lease and writes
its `lease_token`. A worker that dies leaves a row that becomes due by itself; a worker that has lost its lease changes
nothing, because its token does not match. So a row without `due_at` is done, dead or held, and only these three.

A callback has no status: it is owed until `delivered_at` or `dead_at` is set. It is held, postponed, put off and given
up by the same rules. The callbacks of one received dispatch go out in the order of their `sequence`: a later one waits
until the earlier ones are delivered or dead.

Pauses (`backoff`) double from FEDHUB_RETRY_SECONDS to one hour, with jitter, for at most MAX_ATTEMPTS attempts. The
circuit (`circuit`) counts failures of a peer, not of a message: an open circuit stops all messages to the peer, and one
probe decides when they go on. A pause that a peer asks for by Retry-After (`pauses`) is a column of the peer's row too:
all messages wait for its end, and are scattered after it as after the end of an open circuit. A message is given up
after `leases.retry_horizon`, because its receiver would refuse it as stale. Each attempt sends the same signed body
under a fresh HTTP signature and nonce, so the receiver recognizes a second copy, and delivery at least once is enough.

The sweep repeats nudges that were lost, and releases rows that were held in the moment of an approval. It writes the
time of its nudge to `nudged_at`, and nudges a row again only if the row has become due anew or if the nudge has
expired: otherwise nudges would come faster than slow workers take them. Handler events (`inbox.handler_events`) are
rows of the same kind, so the sweep and the dead letters serve them too.
"""
