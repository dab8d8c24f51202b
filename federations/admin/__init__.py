"""The admin pages of the registry, one module for each group of models."""

from federations.admin import (  # noqa: F401 (registers them)
    agents,
    card_keys,
    federation,
    jobs,
    plans,
    preview_slots,
    runs,
    runtimes,
    servers,
)
