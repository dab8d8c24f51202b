"""Backups of the whole hub in one encrypted file, and their restore into an empty hub on any store.

Theory of operation
===================

A backup is a sealed stream (`core.sealed_stream`) of compressed lines of JSON:

    the head                the format, version, time, hub, migrations, the fingerprint of the hub's key; the keys
    {"table": …}            a table: the label of its model and the names of its columns
    […]                     the rows of the table, one a line (`core.store.row_values`)
    …
    {"tables": […]}         the last line: each table with the number and the digest of its rows

The rows are those of one moment of each database (`core.store.snapshots`). The digest is that of `copy_registry`: the
sum of the rows' SHA-256 in a form that is the same on each store. It guards against mistakes of this program and of a
database; the encryption guards against people.

A restore reads the file twice. The first pass decrypts all of it and compares the digests, so that an altered file
writes nothing; the second pass writes. Then the digests of the tables are computed from the database and compared.
`core.store.restoring` says how a restore is all or nothing. After its end the hub refuses envelopes from before the
restore that it does not know (`peers.services.trust.restore_boundary`).

`contents` chooses the tables, `stream` writes and reads lines, `make` makes a backup, `verify` reads one and compares,
`restore` restores one, `key_files` saves and writes keys, `passphrase` finds the passphrase.
"""
