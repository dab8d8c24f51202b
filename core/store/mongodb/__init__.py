"""MongoDB as the registry's database: MongoDB's own backend for Django with additions.

The additions to `django_mongodb_backend`:

- A transaction whose commit fails ends its session and raises errors of Django. If the server cannot tell whether a
  commit happened, the commit is repeated.
- The first transaction on a server without transactions raises an error that names the remedy.
- A check constraint is a part of the validator of its collection.
- A unique index over columns that are never null has no `$type` filter, since look-ups could not use such an index.
"""
