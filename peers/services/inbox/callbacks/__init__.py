"""Callbacks from the peers that this hub dispatched to: proved, deduplicated, and applied to the dispatch.

As a receive, a callback has two halves. `prove_sender` reads it and proves its sender, outside of any transaction;
`apply` proves again under a lock and writes, in one transaction with the other callbacks of the moment
(`inbox.group_commit`). A refused callback stores nothing.
"""
