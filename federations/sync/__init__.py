"""The planning step of a sync, without side effects: values go in, a plan comes out.

Theory of operation. A sync has four steps: discover, plan, apply, index. This package is the second step. It reads no
database, network, clock or setting, so the dry run, the real sync and a stored plan compute the same changes.

Values in. A provider turns one account into a `Discovery` (`resources.py`): a complete listing with exactly one finding
for each runtime.

    EnrichedMcpServer, EnrichedAgent   the runtime answered, and its tools or its card are in the finding
    UnchangedRuntime                   version and time of update are those of the last observation; it was not called
    UnavailableRuntime                 the runtime is being made or deleted, or could not be; it was not called
    UnsupportedRuntime                 the runtime speaks neither MCP nor A2A
    FailedRuntime                      the runtime could not be described or enriched

The services add the stored resources of the sync target (`StoredResource`) and the paths that other owners use.

Plan out. `plan.make_plan` compares the findings with the stored resources and returns a `Plan`: one change
(`changes.py`) for each resource and each failure, with the reason of the change. `summary.py` counts the changes for
the API.

Rules. A finding and a stored resource belong together by identity (region, account, runtime id), kind and name.

1. A new resource is created, a changed one updated, an unchanged one left as it is.
2. A stored resource without a finding is deleted, so a runtime that is missing in the listing loses its resource.
3. A failed runtime protects its stored resources: a sync neither updates nor deletes these resources.
4. Another kind or name of a runtime is a delete and a create, because the path changes (`naming.py`).
5. A path is unique in the registry. A runtime whose path another federation already uses is skipped. If two runtimes
   of this account want one path, the runtime that is stored under the path gets the path, otherwise the runtime with
   the lower id gets it. The other runtime becomes a failure.

Guard. A plan that deletes more than 30 % of at least 10 stored resources is held: the services do not apply it until
staff apply its stored plan or a sync is forced. A delete does not count if a create of the same name replaces it.
"""
