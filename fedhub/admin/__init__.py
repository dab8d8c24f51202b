"""The admin site: its navigation and dashboard, and the pages of third-party apps."""

from fedhub.admin import accounts, audit, notification_deliveries, notification_rules, people, schedules, tokens  # noqa: F401 (registers them)
