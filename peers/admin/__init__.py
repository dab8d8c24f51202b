"""The admin pages about peers: one module for each model, and modules that several pages share."""

from peers.admin import (  # noqa: F401 (importing a module registers its pages)
    agents,
    callbacks,
    dispatches,
    handler_events,
    intents,
    journal,
    keys,
    peers,
    receipts,
    received_dispatches,
)
