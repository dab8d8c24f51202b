"""The admin pages of the registry, one module for each group of models."""

from federations.admin import agents, federation, jobs, preview_slots, runtimes, servers  # noqa: F401 (registers them)
