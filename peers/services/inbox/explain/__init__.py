"""Explain why the hub took or refused a message of a peer: each check in its order, with the value that decided.

`checks` is pure: it has the order of the checks in `inbox.receive` and `inbox.callbacks`, and the check that each class
of refusal belongs to. `received` and `refused` read the stored facts. Where a value is not stored, a check says so;
nothing is guessed.
"""
