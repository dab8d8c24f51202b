"""The AgentCore provider: the runtimes of one AWS account and region as findings.

Theory of operation. One discovery (`provider.py`) uses two services of AWS.

The control plane (`control.py`, botocore) lists the runtimes and describes each new or changed one. `credentials.py`
gets the credentials: the hub's own, or those of the federation's role by AssumeRole with its external id. Every
discovery creates its own session, so two federations never share credentials. A call that AWS refuses because its
credentials expired is repeated once with new ones. An error in the listing fails the discovery; an error about one
runtime becomes a `FailedRuntime`.

The data plane is the address of each runtime. `enrichment.py` reads many runtimes at once in one event loop: an MCP
server with the official MCP SDK (`mcp_client.py`), an A2A agent by its card (`agent_card.py`). `authorizer.py` infers
from the runtime's configuration how it must be called, and `data_plane.py` authorizes each request: by a SigV4
signature with the role's credentials, or by a bearer token that the hub mints for this runtime (`bearer.py`).

Runtimes are not trusted. `bounds.py` limits the size, depth and content of every answer, and `Limits` limits pages,
items and time. One runtime gets one `Conversation` (`transport.py`): all its requests pass through one transport below
the SDK, which authorizes, retries and measures them. The first failure ends the whole conversation and becomes the
error of that runtime, so the SDK can neither hide nor reword it, and the other runtimes are not affected.
"""
