"""Retention: the hub deletes what is old, so that its databases stop growing.

Theory of operation. Each app writes a table of its kinds of rows (`kinds.Kind`): which rows have ended, how old they
must be, and which of them are still needed. The roof joins the tables. `prune.prune` walks each kind from its oldest
row on, a batch at a time. One transaction locks a batch, reads again which of its rows are old and not needed, and
deletes them with the rows below them. So a prune that is killed leaves whole batches, and the next prune continues with
the oldest row: the rows themselves are the only state. A pass has a time limit; the task starts the next pass.

A lease keeps two prunes from doing the same work twice. The lease is not needed for correctness: two prunes that run at
the same time take different rows, or one of them finds the rows deleted.
"""
