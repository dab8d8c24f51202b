"""The admin site: its navigation and dashboard, and the pages of the apps that the hub stands on."""

from fedhub.admin import accounts, audit, schedules, tokens  # noqa: F401 (registers them)
