"""A hub with volume: rows of every kind that `manage.py seed_volume` stores for screenshots, benchmarks and tests.

Theory of operation
===================
`sizes` says how many rows of each kind there are, `draws` draws random values from a seed. The same seed, sizes and
time give the same names, states and times, and the same ids of all rows except those that a sync writes.

Federations come first. `accounts` decides what each account holds and how its last sync ended, `findings` builds what a
discovery of the account would find, from the tools and skills of `catalog`. `synced_rows` plans and applies these
findings with the hub's own services, so resources, versions, observations, changes and held plans are those of a real
sync; then it moves the times of the rows back. `job_rows` adds the jobs of 30 days, in bulk.

Peers follow in bulk: `peer_rows` (peers, keys, tokens, decisions), `dispatch_rows` (intents, dispatches, their
callbacks and the journal) and `received_rows` (what the peers sent, and what this hub owes them). At the end the search
index is built from the rows.

The names are invented: business areas, roles and hosts of the domain `example` (RFC 2606).
"""
