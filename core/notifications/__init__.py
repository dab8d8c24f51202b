"""Notifications: what the hub tells people by e-mail and programs by webhooks.

Theory of operation
===================

An `Event` is a thing that people want to hear of: a sync failed, a plan is held. An app declares the kinds of its
events (`events.EventKind`) in `AppConfig.ready`, and calls `events.record` in the unit of work that stores the thing.
Where one database holds both, the event is stored with the thing or not at all. Where the registry is in MongoDB, the
event is stored after the commit of the registry, and a crash between the two loses it; so the sweep asks each kind for
the events of the last hours (`EventKind.missed`), which the kind reads from the registry's rows. The key of an event is
unique and follows from the thing, so an event that is recorded twice is stored once.

A `Rule` says which events go to whom: to a person, to each member of a group, or to a webhook. `digests.sort_events`
makes an `Item` for each rule that an event fits. `digests.make_digests` makes a `Delivery` for the items that wait: at
once for the first event of a rule, and then at most one in `digest_minutes`. So a storm of a thousand events becomes
two messages. The events of a paused rule are dropped.

A delivery is a row that waits for a worker, with the second of the two designs of leases in `core.jobs`: it takes
seconds and may happen twice. A webhook's `webhook-id` is the id of the row, and its body is stored with the row, so a
receiver recognizes a second copy. A mail is written when it is sent, from the events that the person may see at that
time (`EventKind.seen_by`); a person who may see none of them gets none. A webhook is made by an administrator and tells
every event that its rule names. Each attempt is a row of its own.
"""
