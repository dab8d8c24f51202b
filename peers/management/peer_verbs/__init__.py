"""The verbs of `manage.py peer`, one module for each kind: `VERBS` of a module lists its verbs, each function runs one.

`verb.py` says what a verb consists of, `lookups.py` finds the peer and the key that the arguments name, and `output.py`
prints lines and tables. A new verb is a function and a `Verb` in one of the other modules.
"""
