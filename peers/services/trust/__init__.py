"""Trust: this hub's identity, its peers, their keys and tokens, and the proofs that requests carry.

Theory of operation
-------------------
The states of a peer (`peers.TRANSITIONS`). Staff make every move between states, in the admin or by the command `peer`:

    new ---> proposed ---> approved <---> suspended
              ^    |           |              |
              |    v           +--> retired <-+
              +- rejected             |
              +-----------------------+

A row begins as proposed: staff or an import add it, or an unknown sender signs a receive by itself (`proposals`).
Requests change nothing else: the requests of a peer that staff have rejected are only counted.

    approve   pins the compared key and releases the work that waited for the peer
    suspend   revokes delegations and tokens and holds the work; the keys stay pinned
    resume    (suspended to approved) releases the held work; tokens stay revoked
    retire    like suspend, for good; the history stays
    propose   (rejected or retired to proposed) makes pinned keys proposed again

The states of a key:

    proposed ---> pinned ---> revoked       staff pin and revoke; a key in any state can be revoked
        ^  |        |
        |  v        +--> proposed           when the peer is proposed again
      provisional                           a worker, under policy `open`; approval of the peer ends it

A key comes from staff, from the peer's DID document (fetched by staff or daily, `key_refresh`), or from a signed
request of an unknown sender. It begins as proposed and proves nothing until it is pinned or provisional. Staff pin it
after they have compared its fingerprint. When staff pin a second key, the first stays trusted for a stated time.

Trust is decided in three steps, and each module answers one question:

    proofs     Which peer sent this request?  (HTTP signature, envelope signature, token; all must be of one peer)
    recheck    Does the proof still hold, and is the peer trusted, in the transaction that writes?
    replay     Was the nonce of the signature used before?

`peer_cache` spares the first step a query and is never trusted by the second. `identity` and `rotation` are this hub's
own key, `secrets` encrypts the keys that peers gave this hub, `journal` is the log that every room writes.
`log_sealing` chains the journal and signs it, `log_reading` verifies and exports the chain, and `log_checkpoints` holds
the checkpoints that this hub and its peers have of each other's logs.
"""
