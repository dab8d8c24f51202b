"""The databases of the hub: units of work, routing, copies, and the search for text in any case.

Theory of operation
===================

The registry (federations and peers) lives in one of three databases: SQLite, PostgreSQL or MongoDB. With MongoDB the
hub has two databases: `registry` for the models of federations and peers, and `default` for users, sessions, tokens,
schedules and the audit log. `routers.RegistryRouter` sends each model to its database; `units.REGISTRY` is the alias
of the registry's database. The models of the registry therefore have no foreign keys to users.

All writes to the registry happen in a unit of work: `with unit_of_work():` stores all writes of its block, or none.
Django's `atomic` and `on_commit` are banned outside `units` (by ruff and a test), because they fail silently: on
MongoDB `atomic` rolls nothing back, and `on_commit` without the alias of the registry calls its function at once.
`after_commit` replaces `on_commit`. A network call never happens inside a unit of work, since it would hold locks.

The three databases differ, and the strictest of them sets the rule for all, so that a test on SQLite finds an error
that MongoDB would raise:

- MongoDB has no savepoints. A nested unit of work joins the outer one, and an exception that leaves the nested block
  undoes the outer one too, even if code between the two catches the exception.
- MongoDB has no row locks. `locked` writes to a field of the rows, so that every other transaction that writes to the
  rows collides. SQLite has one writer at a time, and PostgreSQL locks the rows.
- MongoDB and PostgreSQL abort one of two transactions that collide. This is a lost race: the transaction has stored
  nothing, and `unit_of_work` raises `LostRaceError`. The API answers it with 409.

A service that can run twice has the decorator `@retried`: it runs again after a lost race, with random pauses, for up
to 20 seconds. Such a service reads inside its unit of work every row that it decides on, because the rows may have
changed since the first run. Only the outermost function runs again.

A change of state is a compare-and-set: `filter(pk=…, state=old).update(state=new) == 1`. A loser sees 0 rows on SQLite
and PostgreSQL, and on MongoDB it may get `LostRaceError` instead; code must accept both.

`mongodb/` is MongoDB's Django backend with safe commits, check constraints and usable unique indexes. `copying` moves
all rows to another database. `folding` makes SQLite fold letters beyond ASCII. `substrings` has the indexes that narrow
a search for a part of a text.
"""
