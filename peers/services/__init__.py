"""Services of peers: everything that this hub decides and does about the hubs of other organizations.

Theory of operation
-------------------
The package has four rooms. A room may call the rooms below it and never one above it (import-linter checks this):

    inbox     messages from peers: received intents, callbacks; events for handlers, reports on the work
    outbox    messages to peers: dispatches and callbacks, kept as rows until a worker has delivered them
    catalog   what this hub shows: its agents, its own intents, its manifest and status; the agents that peers show
    trust     who is who: this hub's identity, peers and their keys and tokens, proofs, rate limits, the journal

An intent goes from one hub to another, and the reports on it come back, in these steps:

    hub A                                             hub B
    outbox.dispatch       writes row and envelope
    outbox.delivery       sends it (worker)  ------>  inbox.receive.prove_sender  who sent it (view)
                                                      inbox.receive.store   stores the intent (view)
                                                      inbox.handler_events  calls the handler (worker)
                                                      inbox.work_progress   the handler reports
                                                      outbox.callbacks      writes a callback for each report
    inbox.callbacks       applies it         <------  outbox.delivery       sends it (worker)
    inbox.handler_events  calls the handler (worker)

Callers: authentication classes call `trust.proofs`; views call both halves of receive and callback, `outbox.dispatch`
and `catalog`; the admin and the command `peer` call `trust` for decisions and `outbox.dead_letters`; tasks call
`outbox.delivery`, `outbox.sweep`, `inbox.handler_events` and `trust.key_refresh`.

Rules that hold in all rooms:

- A service writes its rows, with the journal line, in one unit of work. Requests to other hubs are made outside of it.
- The rows are the truth. A message to a worker is a nudge, sent after the commit; the sweep repeats lost nudges.
- Each transaction that acts for a peer reads the peer's state again, because staff may have suspended it.
- `trust` never calls the outbox. A decision that stops or starts work changes the outbox's rows (`trust.held_work`).
"""
