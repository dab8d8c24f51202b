"""Receive: take an intent from a peer, once, and answer after it is stored.

Theory of operation
-------------------
A receive has two halves. Both check the sender, because staff may suspend a peer or revoke a key at any moment:

    first half: `prove_sender`                       second half: `store`
    for one request, or for those of one moment      for one request, or for those of one moment
    outside of any transaction                       in one transaction, with other requests of the same moment
    reads and bounds the body                        locks the peer's row and reads keys and tokens again
    verifies signatures and tokens                   checks that the proof still holds, and trust policy
    counts the request against the peer's limit      finds replays and used nonces
                                                     checks scope, policy, URL, agent (`scope_and_policy`)
                                                     writes all rows (`new_rows`)

The expensive work, signatures, is done before the lock. The lock orders a receive with a suspension: either the
suspension comes first and the receive is refused, or it comes second and holds the rows that the receive has written.
It also orders two copies of one request: the second finds the row of the first.

A message passes through eight values, in this order. Each name says what is established at that point:

    1  IncomingRequest     the request in the form that proofs need; nothing is known of the sender
    2  FederationEnvelope  the body, parsed and bounded, beside the object as received
    3  NamedSource         the server that the message names, with its peer and trusted keys, if it has any
    4  Proof               each proof of the request holds, and all are of the named peer
    5  Submission          message, envelope, proof and delegation together
    6  LockedPeer          the peer's row under the lock, with the keys and tokens that are valid now
    7  ReceiveOutcome      the answer, and the new rows for workers
    8  ReceiveResult       the answer on the wire, sent after the commit

A refused request stores nothing. It writes a line to the text log, raises a counter, and gets a line of the journal
later (`trust.passing_lines`). An unknown sender that signs with a key which it shows also gets a proposal
(`trust.proposals`).

Group commit (`inbox.group_commit`): a transaction has a fixed price, the write lock and the disk's acknowledgment,
which requests of the same moment share. In the hub's own server one thread proves and stores the requests of a moment,
as far as their senders are in `peer_cache` (`fedhub.together`). Each other request has a thread of its own: the first
thread stores what waits, and each gets its own outcome. A lone request is a group of one and does not wait.
"""
