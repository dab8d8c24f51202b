"""Slows down the guessing of passwords and client secrets, at every door and over all web processes.

Theory of operation
===================
A door is a place that takes a password or a client secret: the log-in forms, the form for one's own password, the token
and the revocation endpoint. Each door wraps its check in `attempts.attempt(realm, name, address)`.

Three limits count failures (limits.py):
- the address: 10 failures in any 60 s, whatever the names;
- the name, over all addresses: a bucket of 30 failures, refilled by one each 30 s;
- the pair of a name and a known address, at which that name has given the right secret before: 10 failures in
  any 60 s.

An attempt at a known address asks only the limit of its pair. So the failures of others, at other addresses or for
other names, never refuse the owner there. Every other attempt asks the limits of its address and of its name. A refused
attempt is not counted: the name's bucket has a token again 30 s after the attack ends.

The limits are asked twice. Before the check, so that a refused attempt costs one query and no hash. After the check, so
that guesses that run at the same time learn nothing: if the others have used up the limit meanwhile, the answer is 429
for a right and for a wrong secret.

A row (models.py) holds the state of one limit as text, and a compare-and-set of that text counts a failure. So all web
processes share the limits, and no transaction is open while a secret is checked. The rows are in the database of the
accounts. Their keys are HMACs of names and addresses: people type passwords into the field of the name.

An IPv6 address stands for its /64 network, because one host may use all addresses of it.
"""
