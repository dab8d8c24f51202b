"""The staff's pages of federation between hubs, one module for each family of models."""

from peers.admin import agents, intents, journal, keys, peers, traffic  # noqa: F401 (registers them)
