"""The staff's pages of federation between hubs, one module for each family of models."""

from peers.admin import agents, handling, intents, journal, keys, peers, received, sent  # noqa: F401 (registers them)
