"""A double of a Weaviate server, which repeats the recorded answers of a real one.

`front.py` speaks REST and gRPC on loopback and injects faults. Its answers come from the recording of the running test
(`recording.py`). During a recording and in the live tests they come from a real server (`forward.py`). A request that
the recording does not have fails the test. `recordings/` has one JSON file for each module of tests, with the version
of the server. Record again, on an empty server, after a change of the adapter's requests or of the name of a test:

    WEAVIATE_RECORD=1 WEAVIATE_URL=http://127.0.0.1:8080 python -m pytest -n0 tests/app/federations/search -k weaviate
"""
