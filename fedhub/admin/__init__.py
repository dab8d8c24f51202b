"""The admin site: its navigation and dashboard, and the pages of third-party apps."""

from fedhub.admin import (  # noqa: F401 (registers them)
    accounts,
    audit,
    notification_deliveries,
    notification_rules,
    people,
    programs,
    schedules,
    tokens,
)
