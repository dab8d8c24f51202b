"""Catalog: everything that this hub shows about itself: agents, its own intents, manifest and status.

Theory of operation
-------------------
The agents that peers may see come from two tables:

    A2aAgent (federations)    discovered by a sync; its id for peers is the slug at the end of its path
    RegisteredAgent (peers)   registered by staff or by `FederationState.register_agent`; hides a discovered agent of
                              the same id

The visibility of a discovered agent is a row of this app, keyed by federation and path: an agent that is deleted and
discovered again keeps it. Without such a row the setting FEDHUB_VISIBILITY_DEFAULT applies. A registered agent has its
visibility in its own row.

    visibility   who sees the agent
    public       everyone, also callers that prove nothing
    unlisted     approved peers, proved by signature or token, unless the trust policy is `trustless`
    private      none

One function, `agents.visibilities_of`, decides which visibilities a caller sees. The list for peers, the look-up of a
received envelope's agent, and `FederationState` all use it, so a peer can send work exactly to the agents that it sees.

An agent's visibility is not a permission: `federations` decides about its own users and does not know peers. The
manifest and the status read settings, identity and rows when they are asked, and store nothing.

`peer_agents` is the other direction: the agents that each peer shows to this hub, fetched by a worker.
"""
