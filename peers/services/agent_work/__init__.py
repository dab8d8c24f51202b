"""Agents' work: received dispatches that discovered agents do, and those that staff answer by hand.

Theory of operation. `receive` decides who takes a dispatch (`inbox.receive.takers`). Where a discovered agent takes it,
the handler class `peers.handlers.A2aAgents` calls `begin.begin_work`, which makes one run for the dispatch
(`federations.services.runs`). The run knows the dispatch by `dispatch_id`, the id of its row, and the peer by
`source_id`. The row of the dispatch is locked while the run is made, so a handler that is called again makes no second.

`report.report_events` is a listener to the events of runs: it turns each into a callback, in the unit of work that
stores the event. So a crash loses neither the event nor its callback, and repeats neither. `begin.why_not_started` is a
gate: a worker asks it before it sends the peer's message, because peer, scope and delegation may have ended while the
run waited. `deltas` keeps each state_delta within its bounds.

`by_hand` ends a dispatch that no handler took, or that its handler gave up.
"""
