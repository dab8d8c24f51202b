"""A local AWS Bedrock AgentCore for the demo, the tests and the benchmarks.

The sandbox is an extra: a production install does not have this package's dependencies, and `core`, `federations`,
`peers` and `fedhub` never import it. `python -m sandbox` starts it; `python -m sandbox.demo` starts it with two hubs.

Theory of operation
===================
One process serves one ASGI application (`asgi_app`) on one loopback port. The path of a request selects the part that
answers it.

`/_sandbox/…` is the admin API (`admin_api`), for loopback callers only. It lists, adds, changes and removes runtimes,
plans faults, sets latency, and reports how often each operation was called (`call_counts`).

`/runtimes/{ARN}/invocations…` is the data plane (`data_plane`). It authenticates the caller, applies the faults of the
runtime, and passes the request to a real server: an MCP server on the package `mcp` (`mcp_servers`) or an A2A agent on
the package `a2a-sdk` (`a2a_agents`).

Every other path is the control plane or STS (`control_plane`). moto's server answers these requests. It is called as a
WSGI application in the same process (`moto_cloud`). moto returns each list whole and at once and checks no signature,
so `control_plane` adds pages, latency, faults, signature checks and the trust policies of roles.

The sandbox verifies callers as AWS does, because a sandbox that accepts every caller proves nothing about the hub.
`sigv4` recomputes each AWS signature, without code of the hub or of botocore, so that it is an independent check.
`credentials` holds the hub's access key and the keys that AssumeRole issued. `bearer_tokens` verifies a JWT with the
keys that the discovery URL of the runtime's authorizer leads to, which in the demo are the hub's own keys.

Two kinds of faults exist. A planned fault (`faults`) makes the next calls of one operation fail with an AWS error. The
behavior of a runtime (`runtime_specs.Behavior`) is permanent: slow, broken, forbidden, or with bad responses.

`runtime_seeds` makes the runtimes at the start; `runtime_texts` makes their tools, skills and texts. The same options
give the same runtimes with the same ids. `runtime_registry` holds the runtimes and writes each change to moto.
`saved_changes` appends each change of the admin API to a file and makes the changes again at the next start, so that a
restarted demo finds the cloud as it was.
"""
