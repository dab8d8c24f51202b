"""The AgentCore provider: the runtimes of one AWS account and region as findings.

Theory of operation. One discovery (`provider.py`) uses two services of AWS.

The control plane (`control.py`, botocore) lists the runtimes and describes each new or changed one. `credentials.py`
gets the credentials: the hub's own, or those of the federation's role by AssumeRole with its external id. Every
discovery creates its own session, so two federations never share credentials. A call that AWS refuses because its
credentials expired is repeated once with new ones. An error in the listing fails the discovery; an error about one
runtime becomes a `FailedRuntime`.

The data plane is the address of each runtime. `enrichment.py` reads many runtimes at once in one event loop: an MCP
server by its listings (`mcp_client.py`), an A2A agent by its card (`agent_card.py`). `authorizer.py` infers from the
runtime's configuration how it must be called, and `data_plane.py` authorizes each request: by a SigV4 signature with
the role's credentials, or by a bearer token that the hub mints for this runtime (`bearer.py`).

One runtime gets one `Conversation` (`transport.py`). It sends each request, repeats the request after a passing fault
(`refusals.py`, `retry.py`), and bounds the size of each answer and the time of all requests (`bounds.py`). All calls
are reads, so that a repetition is safe. The waits before the repetitions of one conversation have a common bound, so
that a runtime that always fails costs about 8 seconds.

An MCP server is read through the official SDK's session with a dispatcher of the hub's own (`mcp_session.py`,
`mcp_wire.py`). The SDK adds to each request what its revision asks for; the results stay raw, because the SDK's models
accept a whole result or nothing. `mcp_handshake.py` finds the era of the server and a revision that both sides know.
`mcp_listing.py` reads each listing to its end, and `mcp_items.py` checks each item alone.

The smallest unit that can fail is the item. An item that cannot be kept is left out with a warning. A listing that
fails is lost alone, with a warning; a lost MCP session is started again once. The runtime becomes a `FailedRuntime`
only if nothing of it can be read, or if it exceeds the bounds on tools, pages and time. Runtimes are not trusted:
`lenient_json.py` repairs what a store cannot hold, and each error text is cut and cleaned.
"""
