"""A Weaviate server for tests that have none: it answers what a real one once answered, and nothing else.

`front.py` speaks REST and gRPC on loopback and injects faults. What it answers comes from a recording of the very test
that asks (`recording.py`), or, to record again and in the live tests, from a real server (`forward.py`). A request that
is not in the recording fails the test. `recordings/` holds one file of JSON for each module of tests, with the version
of the server beside it. After a change of what the adapter sends, or of such a test, record again on an empty server:

    WEAVIATE_RECORD=1 WEAVIATE_URL=http://127.0.0.1:8080 python -m pytest -n0 tests/app/federations/search -k weaviate
"""
