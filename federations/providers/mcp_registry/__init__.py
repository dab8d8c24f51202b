"""The provider of MCP registries: the servers that another registry names as findings.

Theory of operation. `listing.py` reads `/v0.1/servers` page by page through the guarded client. A list that does not
end, that is too large or that is no JSON fails the discovery, because absence means that a server is gone. A list of
several pages is torn if a server changes while it is read, so the registry is asked once more for what changed since.

`reading.py` reads each new or changed server. An entry of another hub has facts under the hub's own key of `_meta`; the
hub then asks for the whole entry, whose content must have the digest that the entry names. A server with an address
that needs no credentials is asked itself, by the MCP client of the AgentCore provider over the guarded client
(`guarded_transport.py`). What the server does not say the registry's word fills in, and the resource is marked so.

The registry is not trusted, and neither are the addresses in it. An address may lead into a private network only if the
registry itself is in one, and the setting FEDHUB_ALLOWED_NETWORKS allows both.
"""
