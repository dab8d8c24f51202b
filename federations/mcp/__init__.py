"""The hub as an MCP server: the registry for agents and programs that speak MCP, read-only.

Theory of operation. The front of the hub (fedhub.asgi_front) reads a request to `/mcp` whole and gives it to `McpFace`:

1. `admission` checks the request in a thread, as the REST API does: Host, Origin, token, scope, media type, strict
   JSON. A refusal is an HTTP response with the API's error body. The session of a browser is never read.
2. The session manager of the official SDK answers the request: it knows JSON-RPC and the revisions of the protocol.
   The manager is stateless and answers with JSON, so each request stands alone and any web process can answer it.
3. `server` has the SDK's server, whose handlers call the functions of `tools` and `listed` in a thread. These
   functions know no MCP: they take a user and checked arguments, and return a value of `shapes`.

The SDK is imported in `server` and `face` alone. Rows come from the functions of `federations.services.access`.
"""
