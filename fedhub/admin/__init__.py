"""The admin site: its navigation and dashboard, and the pages of third-party apps."""

from fedhub.admin import accounts, audit, people, schedules, tokens  # noqa: F401 (registers them)
