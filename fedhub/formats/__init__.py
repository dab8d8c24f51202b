"""Formats of dates and times in templates and on pages (settings.FORMAT_MODULE_PATH)."""
